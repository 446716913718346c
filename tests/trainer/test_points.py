"""Pictures with points: made of digits, read from folders, and what is learnt of them."""

import json
import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import point_truths
from lit_trainer.data import DigitPointsDataModule, PointFolderDataModule
from lit_trainer.data.pointed import UNKNOWN, PointedPart
from lit_trainer.data.scene_points import NAMES, SKELETON, write_test_points
from lit_trainer.modules import KeypointRegressor
from lit_trainer.modules.correct_keypoints import CorrectKeypoints

POINTS = np.array([[2, 1], [np.nan, np.nan], [15, 7]], np.float32)


def target(transform: v2.Compose, scale: float = math.nan) -> list[list[float]]:
    picture = Image.fromarray(np.zeros((8, 16, 3), np.uint8))
    found: list[list[float]] = PointedPart([(picture, (POINTS, scale))], [0], transform)[0][1].tolist()
    return found


def test_points_are_moved_with_their_image_and_the_unknown_do_not_count() -> None:
    enlarged = v2.Compose([v2.Resize((16, 32)), v2.ToImage()])

    assert target(enlarged) == [[4, 2, 32], [UNKNOWN] * 3, [30, 14, 32]]
    assert target(enlarged, scale=5.0) == [[4, 2, 10], [UNKNOWN] * 3, [30, 14, 10]]
    assert target(v2.Compose([v2.CenterCrop(8), v2.ToImage()])) == [[UNKNOWN] * 3] * 3  # both are cut off


def test_batches_are_pictures_and_the_points_of_their_digit() -> None:
    data = DigitPointsDataModule(batch_size=4, image_size=32, count=10)
    data.setup("fit")

    images, targets = next(iter(data.train_dataloader()))

    assert images.shape == (4, 3, 32, 32)
    assert targets.shape == (4, 5, 3)
    assert (targets[..., 2] > 5).all()
    torch.testing.assert_close(targets[:, 4, :2], (targets[:, 0, :2] + targets[:, 2, :2]) / 2)
    assert (data.labels, data.answers["skeleton"]) == (NAMES, [list(edge) for edge in SKELETON])


def test_test_scenes_come_with_a_table_of_their_points(tmp_path: Path) -> None:
    written = write_test_points(tmp_path / "scenes", count=3, size=40)

    found = point_truths.read(tmp_path / "scenes", labels=None)

    assert found.names == NAMES
    assert [truth.path for truth in found.truths] == written
    assert all(np.isfinite(truth.points).all() for truth in found.truths)


def folder_module(root: Path, **options: Any) -> PointFolderDataModule:
    return PointFolderDataModule(str(root), image_size=(32, 64), num_workers=0, **options)


def test_a_folder_with_a_table_is_read_with_a_part_held_out(tmp_path: Path) -> None:
    write_test_points(tmp_path / "data", count=10, size=40)
    data = folder_module(tmp_path / "data", batch_size=2, names=["centre", "top left"], answers={"threshold": 0.2})

    data.setup("fit")

    images, targets = next(iter(data.val_dataloader()))
    assert (images.shape, targets.shape) == ((2, 3, 32, 64), (2, 2, 3))
    assert len(data.train_set) == 8  # type: ignore[arg-type]
    truth = data.val_set.items[data.val_set.indices[0]][1][0]  # type: ignore[attr-defined]
    np.testing.assert_allclose(targets[0, :, :2], truth * [64 / 40, 32 / 40], rtol=1e-5)
    assert (targets[..., 2] == 64).all()
    assert (data.labels, data.answers) == (("centre", "top left"), {"threshold": 0.2})
    with pytest.raises(NotFoundError, match=r"no .*test/ with images and their points"):
        data.setup("test")
    with pytest.raises(UsageError, match="val_fraction 0 of 10 images leaves nothing"):
        folder_module(tmp_path / "data", val_fraction=0).setup("fit")


def test_splits_that_are_there_are_used_and_the_skeleton_is_the_data_set_s(tmp_path: Path) -> None:
    category = {"id": 1, "name": "hand", "keypoints": ["wrist", "tip"], "skeleton": [[1, 2]]}
    for split in ("train", "val", "test"):
        (tmp_path / split).mkdir()
        Image.new("RGB", (20, 10)).save(tmp_path / split / "a.png")
        one = {"image_id": 1, "category_id": 1, "keypoints": [1, 2, 2, 15, 8, 2], "bbox": [0, 0, 10, 5]}
        found = {"images": [{"id": 1, "file_name": "a.png"}], "categories": [category], "annotations": [one]}
        (tmp_path / split / "annotations.json").write_text(json.dumps(found))
    data = folder_module(tmp_path)

    data.setup("fit")
    data.setup("test")

    assert len(data.train_set) == len(data.val_set) == len(data.test_set) == 1  # type: ignore[arg-type]
    assert data.answers == {"skeleton": [[0, 1]]}
    assert data.val_set[0][1].tolist() == [[pytest.approx(3.2), pytest.approx(6.4), 32], [48, pytest.approx(25.6), 32]]


@pytest.mark.parametrize("architecture", ["small_unet", "small_cnn"])
def test_a_regressor_learns_from_such_a_folder(tmp_path: Path, architecture: str) -> None:
    write_test_points(tmp_path / "data", count=10, size=40)
    trainer = pl.Trainer(fast_dev_run=True, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False)

    trainer.fit(KeypointRegressor(architecture, num_points=5), datamodule=folder_module(tmp_path / "data"))

    facts = trainer.datamodule.deployment_facts  # type: ignore[attr-defined]
    assert (facts.task, facts.height_width, facts.labels) == ("keypoint-detection", (32, 64), NAMES)
    assert "val_pck" in trainer.callback_metrics
    with pytest.raises(UsageError, match="answers 2 points, and the data has 5"):
        KeypointRegressor(architecture, num_points=2).loss(torch.zeros(1, 2, 2), torch.zeros(1, 5, 3))


def test_heatmaps_have_the_images_size_and_places_lie_in_them() -> None:
    images = torch.randn(2, 3, 32, 48)

    maps = KeypointRegressor("small_unet", num_points=3).eval()(images)
    places = KeypointRegressor("small_cnn", num_points=3).eval()(images)

    assert maps.shape == (2, 3, 32, 48)
    assert ((maps >= 0) & (maps <= 1)).all()
    assert places.shape == (2, 3, 2)
    assert ((places >= 0) & (places <= torch.tensor([48, 32]))).all()
    with pytest.raises(UsageError, match="small_unet has no pretrained weights"):
        KeypointRegressor(pretrained=True)


def test_the_metric_counts_the_points_that_are_near_and_known() -> None:
    targets = torch.tensor([[[10.0, 10, 20], [20, 20, 20], [0, 0, 0]]])
    metric = CorrectKeypoints()

    metric.update(targets[..., :2] + torch.tensor([[1.9, 0], [2.1, 0], [9, 9]]), targets)

    assert float(metric.compute()) == 0.5
    maps = torch.zeros(1, 3, 30, 30)
    maps[0, 0, 9, 9] = maps[0, 1, 19, 20] = 1
    metric.reset()
    metric.update(maps, targets)
    assert float(metric.compute()) == 1


@pytest.mark.parametrize(("architecture", "share"), [("small_unet", 0.5), ("small_cnn", 0.8)])
def test_a_picture_is_learnt_by_heart(architecture: str, share: float) -> None:
    torch.manual_seed(0)
    data = DigitPointsDataModule(batch_size=4, image_size=24, count=4)
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    module = KeypointRegressor(architecture, num_points=5)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01)

    losses = []
    for _ in range(15):
        loss = module.loss(module(batch[0]), batch[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    assert losses[-1] < share * losses[0]
