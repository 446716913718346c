"""Pictures with boxes and masks: made of digits, and what is learnt of them."""

from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from lit_infer.errors import UsageError
from lit_trainer.data import CocoInstancesDataModule, DigitInstancesDataModule
from lit_trainer.data.boxed import NONE
from lit_trainer.data.instanced import InstancePart, InstanceTarget
from lit_trainer.data.scenes import write_test_scenes
from lit_trainer.modules import InstanceSegmenter
from lit_trainer.modules.mask_average_precision import MaskPrecision

BOX = np.array([[2.0, 1.0, 6.0, 5.0]], np.float32)
MASK = np.zeros((1, 8, 16), bool)
MASK[0, 1:5, 2:6] = True


def test_masks_are_resized_and_flipped_with_their_boxes_and_image() -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[MASK[0]] = 255
    item = (Image.fromarray(pixels), (BOX, np.array([3]), MASK))
    transform = v2.Compose([v2.Resize((16, 32)), v2.RandomHorizontalFlip(1.0), v2.ToImage()])

    image, target = InstancePart([item], [0], transform, most=2)[0]

    assert target.boxes.tolist() == [[3, 20, 2, 28, 10], [NONE] * 5]
    assert target.masks.shape == (2, 16, 32)
    assert torch.equal(target.masks[0] > 0, image[0] > 127)
    assert not target.masks[1].any()
    with pytest.raises(UsageError, match="an image has 1 instances, and a target room for 0"):
        InstancePart([item], [0], transform, most=0)[0]


def test_batches_have_the_strokes_of_each_digit() -> None:
    data = DigitInstancesDataModule(batch_size=4, image_size=32, count=10)
    data.setup("fit")

    images, targets = next(iter(data.train_dataloader()))

    assert images.shape == (4, 3, 32, 32)
    assert (targets.boxes.shape, targets.masks.shape) == ((4, 8, 5), (4, 8, 32, 32))
    is_there = targets.boxes[..., 0] != NONE
    assert torch.equal(is_there, targets.masks.flatten(2).any(-1))
    for box, mask in zip(targets.boxes[is_there], targets.masks[is_there], strict=True):
        rows, columns = torch.where(mask > 0)
        extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert box[1:].tolist() == [int(side) for side in extent]


def found(*masks: torch.Tensor) -> dict[str, torch.Tensor]:
    """All of class 3, the first the best, and one row beyond the count."""
    count = len(masks)
    return {
        "scores": torch.linspace(0.9, 0.1, count + 1)[None],
        "labels": torch.full((1, count + 1), 3),
        "count": torch.tensor([count]),
        "masks": torch.stack([*masks, torch.ones_like(masks[0])])[None],
    }


def test_precision_counts_masks_that_overlap_enough() -> None:
    target = InstanceTarget(torch.full((1, 2, 5), float(NONE)), torch.zeros((1, 2, 8, 16), dtype=torch.uint8))
    target.boxes[0, 0, 0] = 3
    target.masks[0, 0] = torch.from_numpy(MASK[0])
    right, wrong = torch.from_numpy(MASK[0]).float() * 0.6, torch.zeros((8, 16))

    for masks, expected in (((right,), 1), ((wrong, right), 0.5), ((wrong,), 0)):
        metric = MaskPrecision()
        metric.update(found(*masks), target)
        assert float(metric.compute()) == pytest.approx(expected)


def test_only_the_best_of_neighbouring_cells_is_answered_and_nothing_beyond_the_count() -> None:
    module = InstanceSegmenter(num_classes=2, width=4, most=3).eval()
    images = torch.rand((2, 3, 32, 48), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        given = module.candidates(images)
        given.boxes[:, 4:] = 0
        given.boxes[0, 5, :] = torch.tensor([0.0] * 7 + [0.8, 0.7] + [0.0] * 14 + [0.6])

        answers = module.found(given, (4, 6))

    assert answers["count"].tolist() == [2, 0]
    assert answers["labels"][0].tolist() == [1, 1, 0]
    assert answers["scores"][0].tolist() == pytest.approx([0.8, 0.6, 0])
    assert answers["masks"].shape == (2, 3, 32, 48)
    for name in ("boxes", "masks"):
        assert not answers[name][0, 2].any()
        assert not answers[name][1].any()
    left, top, right, bottom = answers["boxes"][0, 0].tolist()
    rows, columns = torch.where(answers["masks"][0, 0] > 0)
    assert left <= columns.min() + 0.5 <= columns.max() + 0.5 <= right
    assert top <= rows.min() + 0.5 <= rows.max() + 0.5 <= bottom


def test_a_segmenter_learns_its_scenes() -> None:
    pl.seed_everything(0)
    trainer = pl.Trainer(
        max_epochs=40,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    data = DigitInstancesDataModule(batch_size=4, image_size=32, count=8)
    module = InstanceSegmenter(learning_rate=0.02)

    trainer.fit(module, datamodule=data)

    facts = data.deployment_facts
    assert (facts.task, facts.height_width, facts.answers) == ("instance-segmentation", (32, 32), {"threshold": 0.3})
    metric = MaskPrecision()
    with torch.no_grad():
        for images, targets in data.train_dataloader():
            metric.update(module.eval()(images), targets)
    assert float(metric.compute()) > 0.5


def test_a_segmenter_learns_from_a_folder_with_coco_s_json(tmp_path: Path) -> None:
    write_test_scenes(tmp_path / "data", count=10, size=40)
    data = CocoInstancesDataModule(
        str(tmp_path / "data"), list("0123456789"), image_size=(32, 64), flip=False, num_workers=0, batch_size=4, most=8
    )
    trainer = pl.Trainer(fast_dev_run=True, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False)

    trainer.fit(InstanceSegmenter(), datamodule=data)

    assert data.deployment_facts.task == "instance-segmentation"
    assert "val_mask_map50" in trainer.callback_metrics
    image, (boxes, _, masks) = data.val_set.items[data.val_set.indices[0]]  # type: ignore[attr-defined]
    _, target = data.val_set[0]
    assert masks.shape == (len(boxes), image.height, image.width)
    for mask, small in zip(masks, target.masks, strict=False):
        assert float(small.float().mean()) == pytest.approx(mask.mean(), abs=0.02)


def test_masks_of_another_size_than_their_image_are_refused(tmp_path: Path) -> None:
    write_test_scenes(tmp_path / "data", count=5, size=40)
    for path in (tmp_path / "data" / "images").glob("*.png"):
        Image.new("RGB", (41, 40)).save(path)
    data = CocoInstancesDataModule(str(tmp_path / "data"), list("0123456789"), image_size=(32, 32), num_workers=0)
    data.setup("fit")

    with pytest.raises(UsageError, match=r"\.png is 41 x 40, and its masks 40 x 40"):
        data.val_set[0]
