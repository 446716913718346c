"""Pictures with masks: made of digits, from a folder, and what is learnt of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.images.masks import png
from lit_trainer.data import DigitMasksDataModule, MaskFolderDataModule
from lit_trainer.data.digits import load
from lit_trainer.data.masked import MaskedPart
from lit_trainer.data.scenes import scene, scenes, write_test_scenes
from lit_trainer.modules import SemanticSegmenter
from lit_trainer.modules.semantic_segmenter import OPEN


def test_a_scene_is_the_same_for_a_seed_and_its_boxes_hold_its_digits() -> None:
    images, classes = load()

    one, same, other = (scene(images, classes, size=64, seed=seed) for seed in (1, 1, 2))

    assert np.array_equal(one.image, same.image)
    assert not np.array_equal(one.image, other.image)
    assert one.image.shape == (64, 64, 3)
    assert 1 <= len(one.boxes) == len(one.digits) <= 4
    covered = np.zeros((64, 64), bool)
    for (left, top, right, bottom), digit in zip(one.boxes, one.digits, strict=True):
        assert (one.mask[top:bottom, left:right] == digit + 1).any()
        covered[top:bottom, left:right] = True
    assert (one.mask[~covered] == 0).all()


def test_the_splits_have_digits_of_their_own_and_a_fifth_each_to_validate_and_to_test() -> None:
    parts = scenes(20, 48, 0)

    assert [len(part) for part in parts] == [20, 4, 4]
    used = [{image.tobytes() for image in part._images} for part in parts]
    assert not (used[0] & used[1] | used[0] & used[2] | used[1] & used[2])


def test_batches_are_pictures_and_classes_of_pixels() -> None:
    data = DigitMasksDataModule(batch_size=3, image_size=48, count=10)
    data.setup("fit")

    images, targets = next(iter(data.train_dataloader()))

    assert (images.shape, images.dtype) == ((3, 3, 48, 48), torch.float32)
    assert (targets.shape, targets.dtype) == ((3, 48, 48), torch.int64)
    assert data.labels[:2] == ("background", "0")
    assert int(targets.max()) <= 10


def test_an_image_and_its_mask_are_flipped_and_cut_together() -> None:
    mask = np.arange(24, dtype=np.uint8).reshape(4, 6)
    picture = Image.fromarray(np.repeat(mask[..., None], 3, 2))
    transform = v2.Compose(
        [v2.RandomHorizontalFlip(1.0), v2.CenterCrop(2), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    )

    image, target = MaskedPart([(picture, mask)], [0], transform)[0]

    assert type(target) is torch.Tensor
    assert torch.equal((image[0] * 255).round().long(), target)
    assert target.tolist() == [[9, 8], [15, 14]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten pictures, some with pixels that nobody labelled."""
    write_test_scenes(tmp_path / "data", count=10, size=32)
    path = tmp_path / "data" / "masks" / "0000.png"
    with Image.open(path) as image:
        mask = np.asarray(image).copy()
    mask[:4] = OPEN
    path.write_bytes(png(mask))
    return tmp_path / "data"


LABELS = ["background", *map(str, range(10))]


def test_a_folder_of_masks_is_read_with_a_part_held_out(root: Path) -> None:
    data = MaskFolderDataModule(str(root), LABELS, image_size=(24, 32), batch_size=4, num_workers=0)
    data.setup("fit")

    images, targets = next(iter(data.val_dataloader()))
    assert images.shape == (2, 3, 24, 32)
    assert targets.shape == (2, 24, 32)
    assert len(data.train_set) == 8  # type: ignore[arg-type]
    assert data.labels == tuple(LABELS)
    with pytest.raises(NotFoundError, match=r"no .*test/ with images/ and masks/"):
        data.setup("test")
    with pytest.raises(UsageError, match="val_fraction 0 of 10 images leaves nothing"):
        MaskFolderDataModule(str(root), LABELS, val_fraction=0).setup("fit")


def test_splits_that_are_there_are_used(root: Path) -> None:
    for split in ("train", "val", "test"):
        write_test_scenes(root / split, count=2, size=16)
    data = MaskFolderDataModule(str(root), LABELS, image_size=(16, 16), num_workers=0)

    data.setup("fit")
    data.setup("test")

    assert len(data.train_set) == len(data.val_set) == len(data.test_set) == 2  # type: ignore[arg-type]


def test_pixels_that_nobody_labelled_count_neither_in_the_loss_nor_in_the_metrics() -> None:
    module = SemanticSegmenter(num_classes=3)
    outputs, targets = torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 8, 8))
    changed, opened = outputs.clone(), targets.clone()
    changed[:, :, :4], opened[:, :4] = 9.0, OPEN

    assert torch.equal(module.loss(changed, opened), module.loss(outputs, opened))
    metric = dict(module.make_metrics(3, "val"))["miou"]
    assert torch.equal(metric(changed, opened), metric(outputs, opened))


def test_an_architecture_of_torchvision_answers_at_the_size_of_the_images() -> None:
    module = SemanticSegmenter("lraspp_mobilenet_v3_large", num_classes=4).eval()

    assert module(torch.randn(1, 3, 64, 96)).shape == (1, 4, 64, 96)
    assert torch.allclose(module.answers(module(torch.randn(1, 3, 32, 32))).sum(1), torch.ones(1, 32, 32))
    with pytest.raises(UsageError, match="torchvision segments with no deeplabv3; nearest: deeplabv3_resnet"):
        SemanticSegmenter("deeplabv3")
    with pytest.raises(UsageError, match="small_unet has no pretrained weights"):
        SemanticSegmenter(pretrained=True)
