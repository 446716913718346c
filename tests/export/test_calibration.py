"""lit_export.calibration: which images, in which form."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lit_export import calibration
from lit_infer import images
from lit_infer.errors import GateError, NotFoundError
from tests.inference.tiny import LABELS, STEPS, colour, save


def prepare(item: images.ImageInput) -> images.Pixels:
    return images.prepare(item, steps=STEPS, channels=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 images of each colour."""
    for label in LABELS:
        for strength in range(100, 130):
            save(tmp_path / "data" / label / f"{strength}.png", colour(label, strength))
    return tmp_path / "data"


def test_the_images_are_of_every_class_and_the_same_each_time(folder: Path) -> None:
    found = [Path(str(path)) for path in calibration.images(folder, count=12)]
    assert len(set(found)) == 12
    assert {path.parent.name for path in found} == set(LABELS)
    assert found == list(calibration.images(folder, count=12))
    assert len(list(calibration.images(folder, count=1000))) == 90


def test_batches_are_prepared_as_for_inference_and_come_one_by_one(folder: Path) -> None:
    read: list[str] = []

    def items() -> Iterator[images.ImageInput]:
        for path in calibration.images(folder, count=10):
            read.append(str(path))
            yield path

    made = calibration.batches(items(), prepare, batch_size=4)
    first = next(made)
    assert len(read) == 4
    assert first.dtype == np.uint8
    assert np.array_equal(first[3], prepare(read[3]))
    assert [len(batch) for batch in made] == [4, 2]


def test_an_image_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "red" / "broken.png").write_bytes(b"")
    with pytest.raises(GateError, match=r"red/broken.png: the file is empty"):
        list(calibration.batches(calibration.images(folder), prepare))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no images below"):
        calibration.images(tmp_path)


@pytest.mark.slow  # imports lightning
def test_a_configurations_training_split_is_read_as_stored(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data:\n  class_path: lit_trainer.data.DigitsDataModule\n")
    found = list(calibration.images(tmp_path / "config.yaml", count=5))
    assert len(found) == 5
    assert all(getattr(image, "size", None) == (8, 8) for image in found)
