"""lit_trainer.callbacks.prediction_samples: the same few images after each validation epoch."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
from lightning.pytorch.loggers import CSVLogger
from PIL import Image

from lit_infer.tasks.keypoint_detection import FoundPoint, FoundPoints
from lit_infer.tasks.object_detection import FoundBox
from lit_trainer.callbacks import PredictionSamples, sample_points
from lit_trainer.callbacks.prediction_samples import PredictionSample, grid
from lit_trainer.data import (
    DigitAnomaliesDataModule,
    DigitBoxesDataModule,
    DigitMasksDataModule,
    DigitPointsDataModule,
    DigitsDataModule,
    NoisyDigitsDataModule,
)
from lit_trainer.modules import AnomalyDetector, Denoiser, Detector, DigitsCNN, KeypointRegressor, SemanticSegmenter


def test_another_logger_gets_a_grid_of_png_per_epoch(tmp_path: Path) -> None:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=2,
        limit_train_batches=2,
        log_every_n_steps=1,
        logger=CSVLogger(tmp_path, name="digits", version="one"),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[PredictionSamples(count=6)],
    )
    trainer.fit(DigitsCNN(width=2), datamodule=DigitsDataModule(batch_size=4))
    found = sorted((tmp_path / "digits/one/samples").iterdir())
    assert [path.name for path in found] == ["epoch=0.png", "epoch=1.png"]
    with Image.open(found[0]) as sheet:
        assert sheet.size == (4 * 104, 2 * 128)


def has_red(sheet: Image.Image) -> bool:
    pixels = np.asarray(sheet).astype(int)
    return bool(((pixels[..., 0] > 200) & (pixels[..., 1:].max(-1) < 100)).any())


def test_a_wrong_prediction_is_red() -> None:
    picture = Image.new("L", (8, 8))
    assert not has_red(grid([PredictionSample(picture, "7", "7", 0.9, is_right=True)]))
    assert has_red(grid([PredictionSample(picture, "7", "1", 0.9, is_right=False)]))


WITH_WANDB = """
import lightning.pytorch as pl
from lit_trainer.callbacks import PredictionSamples
from lit_trainer.data import DigitsDataModule
from lit_trainer.modules import DigitsCNN
from lit_trainer.tracking import WandbLogger

trainer = pl.Trainer(accelerator="cpu", max_epochs=1, limit_train_batches=2, log_every_n_steps=1,
                     logger=WandbLogger("d"),
                     enable_checkpointing=False, enable_progress_bar=False, callbacks=[PredictionSamples(count=3)])
trainer.fit(DigitsCNN(width=2), datamodule=DigitsDataModule())
"""


@pytest.mark.slow
def test_wandb_gets_images_with_captions_and_a_table(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WITH_WANDB], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    media = next((tmp_path / "artifacts/runs/wandb").glob("offline-run-*")) / "files" / "media"
    assert len(list((media / "images").rglob("*.png"))) >= 3
    table = json.loads(next((media / "table").rglob("*.json")).read_text())
    assert table["columns"] == ["image", "truth", "prediction", "confidence"]
    assert len(table["data"]) == 3


def test_masks_are_drawn_over_their_pictures_and_given_to_wandb_with_their_names() -> None:
    picture = Image.new("RGB", (8, 8), "white")
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 4:] = 1
    sample = PredictionSample(
        picture, "cat", "cat", 0.9, is_right=True, truth_mask=mask[::-1], mask=mask, classes=("background", "cat")
    )

    assert np.asarray(sample.drawn)[0, [0, 7]].tolist() == [[127, 127, 127], [191, 127, 127]]
    drawn = sample.for_wandb["masks"]
    assert drawn["prediction"]["class_labels"] == {0: "background", 1: "cat"}
    assert np.array_equal(drawn["ground_truth"]["mask_data"], mask[::-1])


def test_a_made_picture_is_beside_its_image_and_what_it_should_be() -> None:
    grey, white, black = (Image.new("RGB", (8, 8), colour) for colour in ("gray", "white", "black"))
    sample = PredictionSample(grey, "8 x 8", "8 x 8", None, is_right=True, made=white, target=black)

    assert sample.drawn.size == (24, 8)
    assert np.asarray(sample.drawn)[4, [4, 12, 20], 0].tolist() == [128, 255, 0]
    assert sample.for_wandb == {}


def test_boxes_are_drawn_on_their_pictures_and_given_to_wandb_with_their_names() -> None:
    found = FoundBox("cat", 1, 0.9, (1, 1, 5, 6))
    sample = PredictionSample(
        Image.new("RGB", (8, 8)), "cat", "cat", 0.9, is_right=True, boxes=(found,), classes=("dog", "cat")
    )

    assert np.asarray(sample.drawn)[1, 1].tolist() == [255, 220, 0]
    assert np.asarray(sample.drawn)[3, 3].tolist() == [0, 0, 0]
    drawn = sample.for_wandb["boxes"]
    assert drawn["prediction"]["box_data"] == [
        {
            "position": {"minX": 1, "minY": 1, "maxX": 5, "maxY": 6},
            "domain": "pixel",
            "class_id": 1,
            "scores": {"score": 0.9},
        }
    ]
    assert drawn["ground_truth"] == {"box_data": [], "class_labels": {0: "dog", 1: "cat"}}


def points(*places: tuple[float, float], skeleton: tuple[tuple[int, int], ...] = ()) -> FoundPoints:
    found = (FoundPoint("", index, x, y, None, None, False) for index, (x, y) in enumerate(places))
    return FoundPoints(tuple(found), None, None, skeleton)


def test_points_are_dots_joined_by_lines_and_the_true_ones_crosses() -> None:
    picture = Image.new("L", (48, 48))

    pixels = np.asarray(sample_points.drawn(picture, points((10, 10), (40, 10), skeleton=((0, 1),)), points((10, 40))))

    assert pixels[10, 10].tolist() == [255, 220, 0]
    assert pixels[10, 25].tolist() == [255, 255, 255]
    assert pixels[40, 12].tolist() == [0, 255, 120]
    assert pixels[25, 10].tolist() == [0, 0, 0]


def test_points_are_right_within_a_tenth_of_the_picture() -> None:
    picture = Image.new("L", (50, 20))
    assert sample_points.is_right(picture, points((10, 10)), points((14, 10)))
    assert not sample_points.is_right(picture, points((10, 10)), points((16, 10)))
    assert not sample_points.is_right(picture, points(), points((16, 10)))


_WITH_PLACES: dict[str, Callable[[], tuple[pl.LightningModule, pl.LightningDataModule]]] = {
    "masks": lambda: (SemanticSegmenter(num_classes=11), DigitMasksDataModule(4, 32, 20)),
    "boxes": lambda: (Detector(num_classes=10), DigitBoxesDataModule(4, 32, 20)),
    "points": lambda: (KeypointRegressor(num_points=5), DigitPointsDataModule(4, 32, 20)),
    "pictures": lambda: (Denoiser(), NoisyDigitsDataModule(4, 32, 20)),
    "anomalies": lambda: (AnomalyDetector(), DigitAnomaliesDataModule()),
}


@pytest.mark.parametrize("name", list(_WITH_PLACES))
def test_a_grid_is_made_of_what_has_places_in_its_picture(tmp_path: Path, name: str) -> None:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_train_batches=1,
        logger=CSVLogger(tmp_path, name="s", version="one"),
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[PredictionSamples(count=4)],
    )
    module, data = _WITH_PLACES[name]()

    trainer.fit(module, datamodule=data)

    assert (tmp_path / "s/one/samples/epoch=0.png").is_file()
