"""lit_export.proof.reference: the independent side of the comparison, by training's own libraries.

Here is the heart of the pixels: each step, alone and among others, by the runtime and by the library it names.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torchvision.datasets.folder import default_loader
from torchvision.transforms import v2

from lit_export.proof.reference import REFERENCE, training_pixels
from lit_infer import images
from lit_infer.errors import UsageError
from lit_infer.images.steps import APPLY
from lit_infer.manifest import CenterCrop, DeploymentFacts, Resize, Step
from tests.inference.tiny import noise, save
from tests.support import pixel_steps
from tests.support.pixel_steps import MODES, assert_both_sides_agree, facts, step

of_files = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
PLACING = pixel_steps.resizes() | pixel_steps.letterboxes() | pixel_steps.pads() | pixel_steps.crops()


@given(data=st.data())
@of_files
def test_a_step_that_moves_pixels_is_its_library_s_on_image_files(tmp_path: Path, data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(MODES))
    suffix = (
        ".jpg" if mode in ("L", "RGB", "CMYK") and data.draw(st.booleans()) else ".tif" if mode == "CMYK" else ".png"
    )
    path = pixel_steps.picture_file(tmp_path, data.draw(pixel_steps.arrays(3, "uint8")), mode, suffix)

    assert_both_sides_agree(path, facts(data.draw(PLACING)))


@given(data=st.data())
@of_files
def test_a_step_is_its_library_s_on_arrays_of_any_depth_and_number_of_channels(
    tmp_path: Path, data: st.DataObject
) -> None:
    count, dtype = data.draw(st.integers(1, 8)), data.draw(st.sampled_from(["uint8", "uint16", "float32"]))
    np.save(tmp_path / "a.npy", data.draw(pixel_steps.arrays(count, dtype)))
    read = step(read={"mode": "unchanged", "library": "numpy", "depth": dtype})
    order = step(channels={"order": list(range(count))})

    one = data.draw(PLACING | pixel_steps.values(channels=count))
    assume(not (dtype == "uint16" and getattr(one.value, "library", None) == "torch"))  # has no exact one: refused

    assert_both_sides_agree(tmp_path / "a.npy", facts(read, order, one))


@given(data=st.data())
@of_files
def test_steps_in_a_row_are_what_training_s_libraries_make_in_a_row(tmp_path: Path, data: st.DataObject) -> None:
    path = pixel_steps.picture_file(tmp_path, data.draw(pixel_steps.arrays(3, "uint8")), "RGB", ".png")
    some = data.draw(st.lists(PLACING, max_size=3))
    scaled = [step(scale={})] if data.draw(st.booleans()) else []

    assert_both_sides_agree(path, facts(*some, *scaled, data.draw(PLACING)))


@pytest.mark.parametrize("library", ["pil", "torch", "opencv"])
@pytest.mark.parametrize("channels", [1, 3])
@given(data=st.data())
@settings(of_files, max_examples=20)
def test_grey_is_its_library_s(library: str, channels: int, tmp_path: Path, data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(["RGB", "L", "RGBA"]))
    path = pixel_steps.picture_file(tmp_path, data.draw(pixel_steps.arrays(3, "uint8")), mode, ".png")

    assert_both_sides_agree(path, facts(step(grayscale={"channels": channels, "library": library})))


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
