"""lit_export.proof.reference: the independent side of the comparison is torchvision's own transform."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets.folder import default_loader
from torchvision.transforms import v2

from lit_export.proof.reference import REFERENCE, training_pixels
from lit_infer import images
from lit_infer.errors import UsageError
from lit_infer.images.steps import APPLY
from lit_infer.manifest import CenterCrop, DeploymentFacts, ExifTranspose, Normalize, Resize, Step
from tests.inference.tiny import noise, save


@pytest.mark.parametrize("size", [(40, 31), (9, 200), (8, 8), (5, 6)])
def test_it_is_what_image_folder_and_the_transform_give_and_what_the_runtime_gives(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = save(tmp_path / "a.png", noise(*size))
    facts = DeploymentFacts(
        task="image-classification", preprocess=(Step(resize=Resize(size=10)), Step(center_crop=CenterCrop(size=8)))
    )
    trained = v2.Compose([v2.Resize(10), v2.CenterCrop(8)])(default_loader(str(path)))
    found = training_pixels(path, facts)
    assert np.array_equal(found, np.asarray(trained))
    assert np.array_equal(found, images.prepare(path, steps=facts.preprocess, channels=3))


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


def test_a_step_without_a_reference_is_refused_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.png", noise(12, 12))
    steps = (Step(center_crop=CenterCrop(size=8)),)
    monkeypatch.delitem(REFERENCE, "center_crop")
    with pytest.raises(UsageError, match="step center_crop has no reference to compare with"):
        training_pixels(path, DeploymentFacts(task="image-classification", preprocess=steps))
    monkeypatch.delitem(APPLY, "center_crop")
    with pytest.raises(UsageError, match="step center_crop is not known here"):
        images.prepare(path, steps=steps, channels=3)


def test_grayscale_has_one_channel(tmp_path: Path) -> None:
    Image.fromarray(noise(12, 12)).save(tmp_path / "a.png")
    facts = DeploymentFacts(task="image-classification", normalize=Normalize(mean=(0.5,), std=(0.5,)))
    assert training_pixels(tmp_path / "a.png", facts).shape == (12, 12, 1)
