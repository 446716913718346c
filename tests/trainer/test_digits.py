"""lit_trainer.data.digits: real images in a fixed, seeded split."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lit_trainer.data import DigitsDataModule
from lit_trainer.data.digits import LABELS, load, split, write_test_images


def test_the_splits_are_disjoint_whole_and_stratified() -> None:
    images, classes = load()
    train, val, test = split(classes, seed=0)
    assert sorted([*train, *val, *test]) == list(range(1797)) == list(range(len(images)))
    assert (len(train), len(val), len(test)) == (1149, 288, 360)
    for part in (train, val, test):
        shares = np.bincount(classes[part], minlength=10) / len(part)
        assert abs(shares - 0.1).max() < 0.02


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    _, classes = load()
    assert split(classes, seed=0) == split(classes, seed=0) != split(classes, seed=1)


def test_allloaders_give_normalised_float_images() -> None:
    data = DigitsDataModule(batch_size=32)
    data.setup("fit")
    loaders = (data.train_dataloader, data.val_dataloader, data.test_dataloader, data.predict_dataloader)
    for loader in loaders:
        images, classes = next(iter(loader()))
        assert images.shape == (32, 1, 16, 16)
        assert images.dtype == torch.float32
        assert classes.dtype == torch.int64
        assert images.min() >= (0 - 0.3) / 0.35 - 1e-6
        assert images.max() <= (1 - 0.3) / 0.35 + 1e-6


def test_only_training_images_are_augmented() -> None:
    data = DigitsDataModule()
    data.setup("fit")
    torch.manual_seed(0)
    assert not torch.equal(data.train_set[0][0], data.train_set[0][0])
    assert torch.equal(data.val_set[0][0], data.val_set[0][0])


def test_the_png_files_are_the_test_images_to_the_last_pixel(tmp_path: Path) -> None:
    data = DigitsDataModule()
    data.setup("test")
    paths = write_test_images(tmp_path / "images")
    assert len(paths) == len(data.test_set) == 360
    for path, (image, label) in zip(paths, data.test_set, strict=True):
        assert path.parent.name == LABELS[label]
        assert torch.equal(data.eval_transform(Image.open(path)), image)
