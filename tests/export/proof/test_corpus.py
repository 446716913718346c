"""Image files to compare on where none are given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_export.proof.corpus import odd_files, plain_files
from lit_export.proof.reference import training_pixels
from lit_infer import images
from lit_infer.manifest import Normalize
from tests.support.pixel_steps import facts, step

PHOTO = (step(resize={"size": 40}), step(center_crop={"size": 32}))
FITTED = step(resize={"size": [20, 22], "library": "opencv"})
OTHERS: dict[str, Any] = {
    "npy": facts(step(read={"mode": "unchanged", "library": "numpy"}), step(channels={"order": [4, 0]}), FITTED),
    "npy, channels first": facts(
        step(read={"mode": "unchanged", "library": "numpy", "depth": "float32", "layout": "chw"}),
        FITTED,
        normalize=Normalize(mean=(0.0,) * 5, std=(1.0,) * 5),
    ),
    "tiff": facts(
        step(read={"mode": "unchanged", "library": "tifffile", "depth": "uint16"}),
        step(channels={"order": [3, 2, 1]}),
        FITTED,
    ),
    "tiff of 12 bands": facts(
        step(read={"mode": "unchanged", "library": "tifffile"}), step(channels={"order": list(range(12))}), FITTED
    ),
    "16-bit png": facts(step(read={"mode": "unchanged", "depth": "uint16"}), step(channels={"order": [0]}), FITTED),
    "16-bit png of colours": facts(
        step(read={"mode": "unchanged", "library": "opencv", "depth": "uint16"}),
        step(channels={"order": [2, 1, 0]}),
        FITTED,
    ),
    "16-bit png by opencv": facts(
        step(read={"mode": "unchanged", "library": "opencv", "depth": "uint16"}), step(channels={"order": [0]}), FITTED
    ),
}


def held(path: Path) -> Image.Image:
    """The image of a file that is closed again."""
    with Image.open(path) as image:
        image.load()
        return image


def test_odd_files_are_of_many_sizes_modes_and_formats_larger_and_smaller_than_the_model_s(tmp_path: Path) -> None:
    paths = odd_files(facts(*PHOTO), tmp_path)

    opened = [held(path) for path in paths]
    assert len(paths) == len(set(paths)) == 24
    assert {image.mode for image in opened} >= {"RGB", "L", "RGBA", "P", "LA", "CMYK"}
    assert {image.format for image in opened} == {"PNG", "JPEG", "TIFF"}
    assert len({image.size for image in opened}) >= 6
    assert any(min(image.size) < 32 for image in opened)
    assert any(max(image.size) > 64 for image in opened)
    assert {image.width > image.height for image in opened} == {True, False}
    assert any(image.getexif().get(0x0112) not in (None, 1) for image in opened)


def test_plain_files_are_as_many_as_asked_for_and_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (plain_files(facts(*PHOTO), tmp_path / name, 4) for name in ("a", "b"))

    assert {held(path).mode for path in first} == {"RGB"}
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert {path.suffix for path in first} == {".jpg", ".png"}
    assert len(first) == 4


@pytest.mark.parametrize("name", sorted(OTHERS))
@pytest.mark.parametrize("make", [odd_files, lambda given, folder: plain_files(given, folder, 3)], ids=["odd", "plain"])
def test_files_are_of_the_depth_and_bands_that_the_steps_read(name: str, make: Any, tmp_path: Path) -> None:
    described = OTHERS[name]
    for path in make(described, tmp_path):
        found = images.prepare(path, steps=described.preprocess, channels=described.channels)
        assert found.dtype == described.pixel_dtype
        assert np.ptp(found.astype(np.float64)) > 0
        np.testing.assert_array_equal(found, training_pixels(path, described))


@pytest.mark.parametrize(
    "first", [step(center_crop={"size": [90, 70], "smaller": "error"}), step(crop={"box": [3, 4, 80, 60]})]
)
def test_files_are_as_large_as_a_crop_without_a_resize_needs(first: Any, tmp_path: Path) -> None:
    described = facts(first)

    for path in odd_files(described, tmp_path):
        images.prepare(path, steps=described.preprocess, channels=3)
