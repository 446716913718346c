"""lit_export.proof.reference_files: how training's loader opens a file, and that the runtime opens it alike."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_export.proof.reference import training_pixels
from lit_export.proof.reference_files import loaded
from lit_infer import images
from lit_infer.manifest import DeploymentFacts, ExifTranspose, Normalize, Resize, Step
from tests.inference.tiny import noise
from tests.support import pixel_steps
from tests.support.pixel_steps import assert_both_sides_agree, facts, step


@pytest.mark.parametrize(
    "read",
    [
        {},
        {"mode": "gray"},
        {"background": [255, 0, 7]},
        {"mode": "gray", "background": [0, 128, 255]},
        {"library": "opencv"},
        {"library": "opencv", "mode": "gray"},
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P"])
def test_a_file_is_read_as_its_library_reads_it(read: dict[str, object], mode: str, tmp_path: Path) -> None:
    path = pixel_steps.picture_file(tmp_path, noise(41, 30), mode, ".png")

    assert_both_sides_agree(path, facts(step(read=read)))


ORIENTATION = 0x0112


@pytest.mark.parametrize("follows", [True, False], ids=["followed", "ignored"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_an_orientation_is_followed_or_ignored_alike_on_both_sides(
    suffix: str, orientation: int, follows: bool, tmp_path: Path
) -> None:
    image = Image.fromarray(noise(40, 31))
    exif = image.getexif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"a{suffix}"
    image.save(path, exif=exif)
    turn = (Step(exif_transpose=ExifTranspose()),) if follows else ()
    steps = (*turn, Step(resize=Resize(size=(24, 36))))
    facts = DeploymentFacts(task="image-classification", preprocess=steps)

    found = training_pixels(path, facts)

    assert np.array_equal(found, images.prepare(path, steps=steps, channels=3))
    upright = training_pixels(path, DeploymentFacts(task="image-classification", preprocess=steps[-1:]))
    is_turned = follows and orientation != 1 and suffix != ".tif"  # Pillow turns TIFF files upright by itself
    assert np.array_equal(found, upright) != is_turned


def test_grayscale_has_one_channel(tmp_path: Path) -> None:
    Image.fromarray(noise(12, 12)).save(tmp_path / "a.png")
    facts = DeploymentFacts(task="image-classification", normalize=Normalize(mean=(0.5,), std=(0.5,)))
    assert training_pixels(tmp_path / "a.png", facts).shape == (12, 12, 1)


def test_a_transform_is_given_the_image_before_any_step(tmp_path: Path) -> None:
    path = pixel_steps.picture_file(tmp_path, noise(41, 30), "RGBA", ".png")

    found = loaded(path, facts(step(resize={"size": 8})))

    assert (found.mode, found.size) == ("RGB", (41, 30))
