"""lit_trainer.data.image_folder: both layouts, the classes' numbers, and the images to predict."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets.folder import pil_loader

from lit_infer.errors import InputError, NotFoundError, UsageError
from lit_infer.folder import list_images
from lit_infer.manifest import CenterCrop, Resize, Step
from lit_trainer.data import ImageFolderDataModule
from lit_trainer.data.image_folder import _hold_out_of_each, _read
from tests.trainer.on_disk import photo, write_photos


def module(root: Path, **options: Any) -> Any:
    options = {"image_size": 16, "resize": 20, "batch_size": 4, "num_workers": 0, **options}
    return ImageFolderDataModule(str(root), **options)


def test_train_val_and_test_folders_are_used_as_they_are(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("val", 3), ("test", 2)):
        write_photos(tmp_path / split, bird=count, cat=count)
    data = module(tmp_path)
    data.setup("fit")
    data.setup("test")
    assert [len(part) for part in (data.train_set, data.val_set, data.test_set)] == [12, 6, 4]
    assert data.labels == ("bird", "cat") == data.deployment_facts.labels
    assert [data.test_set[index][1] for index in range(4)] == [0, 0, 1, 1]


def test_one_folder_is_split_by_seed_the_same_share_of_each_class(tmp_path: Path) -> None:
    write_photos(tmp_path, bird=10, cat=20, train=5)  # a class may be called train
    data, again, other = module(tmp_path), module(tmp_path), module(tmp_path, split_seed=1)
    for each in (data, again, other):
        each.setup("fit")
    assert data.labels == ("bird", "cat", "train")
    train, val = data.train_set.indices, data.val_set.indices
    assert sorted([*train, *val]) == list(range(35))
    assert np.bincount([data.val_set.items.targets[index] for index in val]).tolist() == [2, 4, 1]
    assert val == again.val_set.indices != other.val_set.indices
    assert data.train_set.items is data.val_set.items


def test_without_a_val_folder_a_part_of_train_validates(tmp_path: Path) -> None:
    write_photos(tmp_path / "train", bird=10, cat=10)
    write_photos(tmp_path / "test", bird=1, cat=1)
    data = module(tmp_path, val_fraction=0.3)
    data.setup("fit")
    data.setup("test")
    assert [len(part) for part in (data.train_set, data.val_set, data.test_set)] == [14, 6, 2]


def test_a_class_keeps_an_image_on_each_side_if_it_has_two() -> None:
    assert _hold_out_of_each([0, 1, 1, 2, 2, 2], 0.01, seed=0)[0].count(0) == 1
    train, val = _hold_out_of_each([0, 1, 1], 0.99, seed=0)
    assert len(train) == 2
    assert len(val) == 1
    assert val[0] in (1, 2)


def test_a_class_missing_in_val_does_not_shift_the_others(tmp_path: Path) -> None:
    write_photos(tmp_path / "train", ant=2, bird=2, cat=2)
    write_photos(tmp_path / "val", ant=1, cat=1)
    data = module(tmp_path)
    data.setup("validate")
    assert [label for _, label in data.val_set] == [0, 2]


def test_a_class_that_train_does_not_know_is_refused(tmp_path: Path) -> None:
    write_photos(tmp_path / "train", ant=2)
    write_photos(tmp_path / "val", ant=1, wasp=1)
    with pytest.raises(UsageError, match=r"not classes of train: wasp"):
        module(tmp_path).setup("fit")


def test_hidden_files_and_folders_and_other_files_are_left_out(tmp_path: Path) -> None:
    write_photos(tmp_path, cat=4, dog=4)
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "cat" / "._000.png").write_bytes(b"resource fork")
    (tmp_path / "cat" / "notes.txt").write_text("not an image")
    data = module(tmp_path)
    data.setup("fit")
    assert data.labels == ("cat", "dog")
    assert len(data.train_set) + len(data.val_set) == 8


def test_images_are_read_as_torchvision_reads_them(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees: ignored, as ImageFolder ignores it
    for seed in range(6):
        path = tmp_path / f"{seed}.jpg"
        photo(seed).save(path, exif=exif)
        assert np.array_equal(np.asarray(_read(path)), np.asarray(pil_loader(path)))


def test_facts_are_the_usual_resize_and_centre_crop(tmp_path: Path) -> None:
    write_photos(tmp_path, cat=2)
    facts = ImageFolderDataModule(str(tmp_path)).deployment_facts
    assert facts.preprocess == (Step(resize=Resize(size=256)), Step(center_crop=CenterCrop(size=(224, 224))))
    assert facts.normalize is not None
    assert facts.normalize.mean == (0.485, 0.456, 0.406)


def test_predicting_lists_what_lit_infer_lists_in_its_order(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos" / "deep", b=3, a=2)
    write_photos(tmp_path / "photos", c=1)
    photo(1).save(tmp_path / "photos" / "0.png")
    data = module(tmp_path / "training", predict_root=str(tmp_path / "photos"))
    with pytest.raises(NotFoundError, match="no class folders"):  # not after all is predicted: rows name the classes
        data.setup("predict")
    write_photos(tmp_path / "training", cat=1)
    data.setup("predict")
    assert data.predict_paths == list_images([tmp_path / "photos"])
    assert len(data.predict_paths) == 7
    seen = torch.cat([index for _, index in data.predict_dataloader()])
    assert seen.tolist() == list(range(7))
    images = torch.cat([images for images, _ in data.predict_dataloader()])
    assert torch.equal(images[5], data.eval_transform(pil_loader(data.predict_paths[5])))


def test_an_unreadable_image_is_missing_from_the_prediction_batches_and_stops_training(tmp_path: Path) -> None:
    write_photos(tmp_path, cat=6)
    (tmp_path / "cat" / "000.png").write_bytes(b"no image")
    for index in (4, 5):
        (tmp_path / "cat" / f"00{index}.{'jpg' if index % 2 else 'png'}").write_bytes(b"")
    data = module(tmp_path, predict_root=str(tmp_path), batch_size=2)
    data.setup("predict")
    batches = list(data.predict_dataloader())
    assert [index.tolist() for _, index in batches] == [[1], [2, 3], []]
    assert [images.shape for images, _ in batches] == [(1, 3, 16, 16), (2, 3, 16, 16), (0, 3, 16, 16)]
    data.setup("fit")
    with pytest.raises(InputError, match=r"000\.png: not an image"):
        data.train_set.items[0]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no class folders in .*nowhere: expected train/CLASS") as caught:
        module(tmp_path / "nowhere").setup("fit")
    assert "--data.root" in str(caught.value)
    write_photos(tmp_path, cat=2)
    with pytest.raises(NotFoundError, match=r"--data\.test_on '\[val\]'"):
        module(tmp_path).setup("test")
    with pytest.raises(UsageError, match=r"--data\.predict_root FOLDER"):
        module(tmp_path).setup("predict")
    (tmp_path / "empty" / "cat").mkdir(parents=True)
    with pytest.raises(NotFoundError, match="no images below"):
        module(tmp_path / "empty").setup("fit")


def test_one_folder_can_be_tested_on_what_validates(tmp_path: Path) -> None:
    write_photos(tmp_path, cat=5, dog=5)
    data = module(tmp_path, test_on=["val"])
    data.setup("test")
    assert data.test_dataloader().dataset is data.val_set
