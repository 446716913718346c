"""Pictures with boxes: made of digits, and what is learnt of them."""

import shutil
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import coco
from lit_trainer.data import CocoBoxesDataModule, DigitBoxesDataModule
from lit_trainer.data.boxed import NONE, BoxedPart
from lit_trainer.data.scenes import write_test_scenes
from lit_trainer.modules import Detector
from lit_trainer.modules.mean_average_precision import BoxPrecision

BOX = np.array([[2.0, 1.0, 6.0, 5.0]], np.float32)


def test_boxes_are_resized_and_flipped_with_their_image() -> None:
    picture = Image.fromarray(np.zeros((8, 16, 3), np.uint8))
    transform = v2.Compose([v2.Resize((16, 32)), v2.RandomHorizontalFlip(1.0), v2.ToImage()])

    _, target = BoxedPart([(picture, (BOX, np.array([3])))], [0], transform, most=2)[0]

    assert target.tolist() == [[3, 20, 2, 28, 10], [NONE] * 5]
    with pytest.raises(UsageError, match="an image has 1 boxes, and a target room for 0"):
        BoxedPart([(picture, (BOX, np.array([3])))], [0], transform, most=0)[0]


def test_batches_are_pictures_and_targets_of_one_size() -> None:
    data = DigitBoxesDataModule(batch_size=4, image_size=32, count=10)
    data.setup("fit")

    images, targets = next(iter(data.train_dataloader()))

    assert images.shape == (4, 3, 32, 32)
    assert targets.shape == (4, 32, 5)
    assert (targets[..., 0] != NONE).any(1).all()
    assert data.answers == {"threshold": 0.3}


def test_test_scenes_come_with_their_boxes_as_coco_has_them(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    written = write_test_scenes(folder, count=3, size=40)

    names, truths = coco.read(coco.find(folder), labels=None)

    assert names == tuple("0123456789")
    assert [truth.path for truth in truths] == written
    assert all(len(truth.boxes) for truth in truths)


def coco_module(root: Path, **options: Any) -> CocoBoxesDataModule:
    return CocoBoxesDataModule(str(root), list("0123456789"), image_size=(32, 64), num_workers=0, **options)


def test_a_folder_with_coco_s_json_is_read_with_a_part_held_out(tmp_path: Path) -> None:
    write_test_scenes(tmp_path / "data", count=10, size=40)
    data = coco_module(tmp_path / "data", batch_size=2, answers={"threshold": 0.2})

    data.setup("fit")

    images, targets = next(iter(data.val_dataloader()))
    assert images.shape == (2, 3, 32, 64)
    assert len(data.train_set) == 8  # type: ignore[arg-type]
    truth = data.val_set.items[data.val_set.indices[0]][1]  # type: ignore[attr-defined]
    expected = truth[0] * np.array([64 / 40, 32 / 40] * 2)
    np.testing.assert_allclose(targets[0, : len(expected), 1:], expected, rtol=1e-5)
    assert targets[0, : len(expected), 0].tolist() == truth[1].tolist()
    assert data.answers == {"threshold": 0.2}
    with pytest.raises(NotFoundError, match=r"no .*test/ with images and annotations\.json"):
        data.setup("test")
    with pytest.raises(UsageError, match="val_fraction 0 of 10 images leaves nothing"):
        coco_module(tmp_path / "data", val_fraction=0).setup("fit")


def test_splits_with_boxes_that_are_there_are_used(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        write_test_scenes(tmp_path / split, count=2, size=16)
    data = coco_module(tmp_path)

    data.setup("fit")
    data.setup("test")

    assert len(data.train_set) == len(data.val_set) == len(data.test_set) == 2  # type: ignore[arg-type]


def as_yolo(root: Path, split: str, *, count: int) -> list[coco.BoxTruth]:
    """Scenes of a split as YOLO has them, whose true boxes come back."""
    write_test_scenes(root / "scenes", count=count, size=40)
    _, truths = coco.read(coco.find(root / "scenes"), labels=None)
    for kind in ("images", "labels"):
        (root / kind / split).mkdir(parents=True)
    for one in truths:
        one.path.rename(root / "images" / split / one.path.name)
        lines = [
            f"{label} {(left + right) / 80} {(top + bottom) / 80} {(right - left) / 40} {(bottom - top) / 40}"
            for label, (left, top, right, bottom) in zip(one.labels, one.boxes.tolist(), strict=True)
        ]
        (root / "labels" / split / one.path.name).with_suffix(".txt").write_text("\n".join(lines))
    shutil.rmtree(root / "scenes")
    return truths


def test_splits_of_a_yolo_data_set_are_used(tmp_path: Path) -> None:
    as_yolo(tmp_path, "train", count=4)
    expected = as_yolo(tmp_path, "val", count=2)
    (tmp_path / "data.yaml").write_text(
        f"train: images/train\nval: images/val\nnames: [{', '.join(repr(name) for name in '0123456789')}]\n"
    )
    data = coco_module(tmp_path)

    data.setup("fit")

    assert len(data.train_set) == 4  # type: ignore[arg-type]
    assert len(data.val_set) == 2  # type: ignore[arg-type]
    for found, one in zip(data.val_set.items.truths, expected, strict=True):  # type: ignore[attr-defined]
        assert found.path.parent == tmp_path / "images" / "val"
        np.testing.assert_allclose(found.boxes, one.boxes, atol=1e-4)
        assert found.labels.tolist() == one.labels.tolist()
    with pytest.raises(NotFoundError, match=r"no .*test/ with images"):
        data.setup("test")


def test_a_detector_learns_from_such_a_folder(tmp_path: Path) -> None:
    write_test_scenes(tmp_path / "data", count=10, size=40)
    trainer = pl.Trainer(fast_dev_run=True, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False)

    trainer.fit(Detector(num_classes=10), datamodule=coco_module(tmp_path / "data", batch_size=4))

    facts = trainer.datamodule.deployment_facts  # type: ignore[attr-defined]
    assert (facts.task, facts.height_width, len(facts.labels)) == ("object-detection", (32, 64), 10)
    assert "val_map50" in trainer.callback_metrics


def perfect(targets: torch.Tensor) -> torch.Tensor:
    """Candidates [batch, 4 + 10, most] that are the truth."""
    boxes = targets[..., 1:]
    centres, sizes = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
    there = targets[..., 0] != NONE
    scores = torch.nn.functional.one_hot((targets[..., 0] * there).long(), 10) * there[..., None]
    return torch.cat((centres, sizes, scores.float()), -1).transpose(1, 2)


def test_the_metric_of_what_is_right_is_one_and_of_what_is_elsewhere_zero() -> None:
    data = DigitBoxesDataModule(batch_size=4, image_size=64, count=20)
    data.setup("fit")
    _, targets = next(iter(data.val_dataloader()))
    metric = BoxPrecision()

    metric.update(perfect(targets), targets)
    assert float(metric.compute()) == pytest.approx(1)
    metric.reset()
    metric.update(perfect(targets) + torch.tensor([100.0] * 2 + [0.0] * 12)[None, :, None], targets)
    assert float(metric.compute()) == 0


def test_candidates_are_one_for_each_cell_and_their_corners_those_of_centre_and_size() -> None:
    module = Detector(num_classes=3).eval()

    found = module(torch.randn(2, 3, 32, 48))
    scores, corners = module.answers(found)

    assert found.shape == (2, 7, 24)
    assert scores.shape == (2, 24, 3)
    assert ((found[:, 4:] >= 0) & (found[:, 4:] <= 1)).all()
    torch.testing.assert_close((corners[..., :2] + corners[..., 2:]) / 2, found[:, :2].transpose(1, 2))
    torch.testing.assert_close(corners[..., 2:] - corners[..., :2], found[:, 2:4].transpose(1, 2))


def test_a_picture_is_learnt_by_heart() -> None:
    torch.manual_seed(0)
    data = DigitBoxesDataModule(batch_size=4, image_size=32, count=4)
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    module = Detector(num_classes=10)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01)

    losses = []
    for _ in range(30):
        module._columns = 4
        loss = module.loss(module(batch[0]), batch[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    assert losses[-1] < 0.3 * losses[0]
