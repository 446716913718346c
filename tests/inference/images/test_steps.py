"""What the steps do to pixels is compared with their libraries in tests/export/proof/test_reference.py.

Here: when they do nothing, what they refuse, and that an image's form makes no difference.
"""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lit_infer.errors import InputError, UsageError
from lit_infer.images import Limits, prepare
from lit_infer.images import steps as transforms
from lit_infer.images.limits import DEFAULT_LIMITS
from lit_infer.images.pictures import to_array
from lit_infer.manifest import CenterCrop, ExifTranspose, Resize, Step
from tests.inference.tiny import encoded, noise
from tests.support.pixel_steps import crops, letterboxes, pads, resizes, step, values

UPRIGHT = Step(exif_transpose=ExifTranspose())
SIZES = st.integers(1, 9) | st.tuples(st.integers(1, 9), st.integers(1, 9))
STEPS = st.lists(
    st.builds(lambda size: Step(resize=Resize(size=size)), SIZES)
    | st.builds(lambda size: Step(center_crop=CenterCrop(size=size)), SIZES)
    | st.just(UPRIGHT),
    max_size=3,
)


@given(STEPS, st.integers(1, 9), st.integers(1, 9))
def test_steps_that_are_said_to_keep_an_image_do(steps: list[Step], width: int, height: int) -> None:
    image = Image.fromarray(noise(width, height))

    if transforms.is_identity(steps, width=width, height=height):
        done = transforms.apply(steps, image, channels=3, limits=DEFAULT_LIMITS)
        assert np.array_equal(np.asarray(done), np.asarray(image))


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        (Step(resize=Resize(size=7)), True),  # the shorter side
        (Step(resize=Resize(size=(7, 9))), True),  # height, width
        (Step(resize=Resize(size=(9, 7))), False),
        (Step(resize=Resize(size=8)), False),
        (Step(center_crop=CenterCrop(size=(7, 9))), True),
        (Step(center_crop=CenterCrop(size=7)), False),
        (UPRIGHT, True),
    ],
)
def test_an_image_of_the_wanted_size_is_kept(step: Step, kept: bool) -> None:
    assert transforms.is_identity([step], width=9, height=7) == kept


MOVING = resizes() | letterboxes() | pads() | crops()


@given(st.lists(MOVING | values(channels=3), max_size=3), st.integers(3, 40), st.integers(3, 40))
@settings(deadline=None, max_examples=60)
def test_an_image_is_the_same_whether_it_comes_as_bytes_as_an_array_or_from_pil(
    some: list[Step], width: int, height: int
) -> None:
    array = noise(width, height)
    image = Image.fromarray(array)

    first, *others = (prepare(one, steps=some, channels=3) for one in (encoded(image, "PNG"), array, image))

    for other in others:
        np.testing.assert_array_equal(first, other)


@given(st.lists(MOVING | values(channels=3), min_size=1, max_size=3), st.integers(3, 40), st.integers(3, 40))
@settings(deadline=None, max_examples=100)
def test_a_grey_image_is_that_of_three_equal_channels(some: list[Step], width: int, height: int) -> None:
    grey = Image.fromarray(noise(width, height)[:, :, 0])

    found = [prepare(one, steps=some, channels=3) for one in (grey, encoded(grey, "PNG"))]

    for one in found:
        np.testing.assert_array_equal(one, prepare(grey.convert("RGB"), steps=some, channels=3))


def test_a_grey_jpeg_is_that_of_three_equal_channels() -> None:
    grey = encoded(Image.fromarray(noise(90, 60)[:, :, 0]), "JPEG", quality=95)
    some = [step(resize={"size": 32}), step(center_crop={"size": 24})]

    found = prepare(grey, steps=some, channels=3)

    np.testing.assert_array_equal(found, prepare(Image.open(io.BytesIO(grey)).convert("RGB"), steps=some, channels=3))


@given(st.lists(MOVING, min_size=1, max_size=2), st.lists(st.integers(3, 40), min_size=4, max_size=8))
@settings(deadline=None, max_examples=40)
def test_what_was_prepared_before_makes_no_difference(some: list[Step], sides: list[int]) -> None:
    """Weights are kept between images: each of a batch is as if it were alone."""
    batch = [noise(width, height) for width, height in zip(sides[::2], sides[1::2], strict=False)]

    together = [prepare(one, steps=some, channels=3) for one in batch]

    for alone, found in zip(reversed(batch), reversed(together), strict=True):
        np.testing.assert_array_equal(prepare(alone, steps=some, channels=3), found)


@given(values(channels=3), st.integers(3, 9), st.integers(3, 9))
@settings(deadline=None)
def test_a_step_that_changes_values_never_keeps_an_image(one: Step, width: int, height: int) -> None:
    assert not transforms.is_identity([one], width=width, height=height)


@pytest.mark.parametrize(
    ("some", "array", "code", "says"),
    [
        ([step(channels={"order": [3]})], noise(9, 9), "bad_shape", "has 3 channels, and number 3 is wanted"),
        ([step(grayscale={})], np.zeros((9, 9, 5), np.uint8), "bad_shape", "has 5 channels; grey is made of RGB"),
        ([step(grayscale={})], np.zeros((9, 9, 3), np.float32), "bad_type", "makes grey of uint8 only"),
        ([step(crop={"box": [0, 0, 10, 9]})], noise(9, 9), "bad_shape", "9 x 9 pixels are too few to crop 10 x 9"),
        (
            [step(center_crop={"size": 10, "smaller": "error"})],
            noise(9, 12),
            "bad_shape",
            "9 x 12 pixels are too few to crop 10 x 10",
        ),
        ([], np.zeros((9, 9, 5), np.uint8), "bad_shape", "has 5 channels after preprocessing; the model takes 3"),
    ],
)
def test_an_image_that_a_step_cannot_take_is_refused(some: list[Step], array: Any, code: str, says: str) -> None:
    read = step(read={"mode": "unchanged", "library": "numpy", "depth": str(array.dtype)})

    with pytest.raises(InputError, match=says) as caught:
        prepare(array, steps=(read, *some), channels=3)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "one",
    [
        step(resize={"size": 4000}),
        step(resize={"scale": 60.0, "library": "opencv"}),
        step(letterbox={"size": 4000, "library": "torch"}),
        step(pad={"size": 4000}),
        step(pad={"multiple": 4000, "mode": "replicate"}),
    ],
    ids=lambda one: one.kind,
)
def test_a_step_makes_no_image_beyond_the_limit(one: Step) -> None:
    with pytest.raises(InputError) as caught:
        prepare(noise(90, 90), steps=(one,), channels=3, limits=Limits(max_pixels=1_000_000))

    assert caught.value.code == "too_many_pixels"


def test_a_step_without_a_row_is_refused_and_not_passed_over() -> None:
    with pytest.raises(UsageError, match="step resize is not known here; known are pad"):
        transforms.row_of({"pad": None}, step(resize={"size": 8}))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_fill_is_rounded_and_cut_to_what_a_dtype_holds(dtype: Any) -> None:
    pad = step(pad={"amounts": [1, 0, 0, 0], "fill": 300.6})

    made = to_array(transforms.APPLY["pad"](np.zeros((1, 1, 1), dtype), pad.value, DEFAULT_LIMITS))

    assert made[0, 0, 0] == {"uint8": 255, "uint16": 301, "float32": np.float32(300.6)}[dtype]


def test_turning_and_the_other_steps_make_up_all() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(Image.fromarray(noise(9, 6)), "PNG", exif=exif)))
    steps = (UPRIGHT, Step(center_crop=CenterCrop(size=4)))

    upright = transforms.turned(image, steps, DEFAULT_LIMITS)

    assert upright.size == (6, 9)
    assert transforms.turned(image, steps[1:], DEFAULT_LIMITS) is image
    apart = transforms.apply(transforms.after_turning(steps), upright, channels=3, limits=DEFAULT_LIMITS)
    together = transforms.apply(steps, image, channels=3, limits=DEFAULT_LIMITS)
    assert np.array_equal(to_array(apart), to_array(together))
