"""The steps as a manifest has them: what each makes of an image's size. Their pixels: test_steps, test_pixels."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_infer.errors import UsageError
from lit_infer.images import prepare
from lit_infer.images.framing import CenterCrop
from lit_infer.images.preprocess import (
    Step,
    channels,
    check_steps,
    dtype,
    height_width,
    in_float,
    on_file,
    reading,
    resizes_floats,
)
from lit_infer.images.values import ExifTranspose, Normalize
from tests.support.pixel_steps import crops, letterboxes, pads, resizes, step, values

sides = st.integers(3, 40)
steps = resizes() | letterboxes() | pads() | crops()
UPRIGHT = Step(exif_transpose=ExifTranspose())


@given(width=sides, height=sides, one=steps | values(channels=3) | st.just(UPRIGHT))
@settings(deadline=None)
def test_the_size_that_a_step_says_is_the_size_that_it_makes(width: int, height: int, one: Step) -> None:
    made = prepare(np.zeros((height, width, 3), dtype=np.uint8), steps=(one,), channels=3)

    assert one.value.output_size(width, height) == (made.shape[1], made.shape[0])
    assert one.value.fixed_size in (None, made.shape[:2])
    assert made.dtype == dtype((one,))


@settings(deadline=None)
@given(width=sides, height=sides, some=st.lists(steps, max_size=3).map(tuple))
def test_where_all_images_have_one_size_it_is_known_beforehand(width: int, height: int, some: tuple[Step, ...]) -> None:
    try:
        expected = height_width(some)
    except UsageError:
        assert not any(step.value.fixed_size for step in some)
        return
    assert prepare(np.zeros((height, width, 3), dtype=np.uint8), steps=some, channels=3).shape[:2] == expected


@given(one=steps | values(channels=4) | st.just(UPRIGHT))
def test_a_step_is_one_key_in_the_manifest_and_comes_back(one: Step) -> None:
    data = msgspec.json.encode(one)

    assert list(msgspec.json.decode(data)) == [one.kind]
    assert msgspec.json.decode(data, type=Step) == one
    assert one.value.describe()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "must have exactly one of resize, center_crop, exif_transpose, .*; this one has none"),
        ('{"resize": {"size": 8}, "center_crop": {"size": 8}}', "exactly one of"),
        ('{"resize": {"size": 0}}', "size 0 must be positive"),
        ('{"resize": {"size": [8, 0]}}', "must be positive"),
        ('{"resize": {"size": 8, "antialias": false}}', "antialias must be true"),
        ('{"resize": {"size": 8, "library": "skimage"}}', "library"),
        ('{"center_crop": {"size": -1}}', "size -1 must be positive"),
        ('{"blur": {}}', "unknown field `blur`"),
    ],
)
def test_a_step_that_means_nothing_is_refused(text: str, says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.json.decode(text, type=Step)


def test_the_orientation_is_followed_first_or_not_at_all() -> None:
    crop = Step(center_crop=CenterCrop(size=8))

    check_steps((UPRIGHT, crop))
    with pytest.raises(ValueError, match="exif_transpose comes first"):
        check_steps((crop, UPRIGHT))


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"mean": (0.5,), "std": (0.5, 0.5, 0.5)}, "one value"),
        ({"mean": (0.5,) * 33, "std": (0.5,) * 33}, "one value"),
        ({"mean": (float("nan"),), "std": (1.0,)}, "must be finite"),
        ({"mean": (0.5,), "std": (0.0,)}, "must be positive"),
    ],
)
def test_a_normalisation_that_gives_no_numbers_is_refused(facts: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Normalize(**facts)


@pytest.mark.parametrize(
    ("some", "says"),
    [
        ([step(scale={}), step(read={})], "read comes first"),
        ([UPRIGHT, step(read={"library": "opencv"})], "for images read by Pillow, not by opencv"),
        (
            [step(read={"mode": "unchanged", "depth": "uint16"}), step(resize={"size": 8, "library": "torch"})],
            "torch has no exact resize of uint16 values: put scale before it",
        ),
        (
            [step(read={"mode": "unchanged", "depth": "uint16"}), step(letterbox={"size": 8, "library": "torch"})],
            "torch has no exact letterbox",
        ),
        (
            [step(resize={"size": 8, "library": "torch", "interpolation": "area"}), step(scale={})],
            "torch has no area of uint8 values: put scale before it",
        ),
    ],
)
def test_an_order_that_has_no_meaning_is_refused(some: list[Step], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_steps(tuple(some))


def test_sixteen_bits_are_resized_by_torch_once_they_are_scaled_or_where_values_are_only_picked() -> None:
    deep = step(read={"mode": "unchanged", "depth": "uint16"})

    check_steps((deep, step(scale={}), step(resize={"size": 8, "library": "torch"})))
    check_steps((deep, step(resize={"size": 8, "library": "torch", "interpolation": "nearest"})))
    check_steps((deep, step(resize={"size": 8, "library": "opencv"})))


GREY, RGB5 = Normalize(mean=(0.5,), std=(0.5,)), Normalize(mean=(0.5,) * 5, std=(0.5,) * 5)
UNCHANGED = step(read={"mode": "unchanged"})


@pytest.mark.parametrize(
    ("some", "normalize", "count"),
    [
        ([], None, 3),
        ([], GREY, 1),  # a grey model's images are read as grey
        ([step(read={})], GREY, 3),  # one mean for all channels
        ([step(read={"mode": "gray"})], None, 1),
        ([step(grayscale={})], None, 1),
        ([step(grayscale={"channels": 3})], GREY, 3),
        ([step(channels={"order": [2, 1, 0]})], None, 3),
        ([UNCHANGED, step(channels={"order": [0, 3, 5, 7]})], None, 4),
        ([UNCHANGED], RGB5, 5),
        ([UNCHANGED], GREY, 1),
    ],
)
def test_how_many_channels_a_prepared_image_has(some: list[Step], normalize: Normalize | None, count: int) -> None:
    assert channels(some, normalize) == count


@pytest.mark.parametrize(
    ("some", "normalize", "says"),
    [
        ([UNCHANGED], None, "add channels with their order"),
        ([step(grayscale={"channels": 3})], RGB5, "normalize has 5 values, and the steps give images of 3 channels"),
        ([step(read={"mode": "gray"})], RGB5, "normalize has 5 values"),
    ],
)
def test_channels_that_nothing_says_or_that_do_not_fit_are_refused(
    some: list[Step], normalize: Normalize | None, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        channels(some, normalize)


@pytest.mark.parametrize(
    ("some", "size"),
    [
        ([step(letterbox={"size": [48, 64]})], (48, 64)),
        ([step(resize={"size": 64, "side": "longest"}), step(pad={"size": 64})], (64, 64)),
        ([step(resize={"size": 64, "side": "longest"}), step(pad={"size": [80, 64]})], (80, 64)),
        ([step(resize={"size": 64, "side": "longest"}), step(scale={}), step(pad={"square": True})], (64, 64)),
        ([step(center_crop={"size": 50}), step(pad={"multiple": 32})], (64, 64)),
        ([step(crop={"box": [1, 2, 11, 22]}), step(resize={"scale": 0.5})], (10, 5)),
        ([step(resize={"size": [9, 8]}), step(crop={"fraction": 0.5})], (4, 4)),
    ],
)
def test_sizes_that_follow_from_steps_together_are_known(some: list[Step], size: tuple[int, int]) -> None:
    assert height_width(tuple(some)) == size


@pytest.mark.parametrize(
    "some",
    [
        [],
        [step(resize={"size": 64})],
        [step(resize={"size": 64, "side": "longest"})],
        [step(resize={"size": 64, "side": "longest"}), step(pad={"size": 48})],
        [step(resize={"size": 64}), step(pad={"size": 64})],
        [step(pad={"size": 64})],
        [step(pad={"square": True})],
        [step(resize={"size": 64, "side": "longest"}), step(pad={"multiple": 32})],
    ],
    ids=str,
)
def test_steps_that_give_images_of_several_sizes_are_told_what_to_end_with(some: list[Step]) -> None:
    with pytest.raises(UsageError, match="end it with a center_crop, a letterbox or a resize"):
        height_width(tuple(some))


def test_what_a_step_is_about() -> None:
    deep = step(read={"mode": "unchanged", "depth": "uint16"})
    resize = step(resize={"size": 8, "library": "torch"})

    assert [on_file(one) for one in (UPRIGHT, deep, resize)] == [True, True, False]
    assert [in_float(one) for one in (step(scale={}), step(stretch={}), resize)] == [True, True, False]
    assert reading((UPRIGHT, deep)) == deep.value
    assert reading((resize,)) is None
    assert [dtype(some) for some in ((), (deep,), (deep, step(scale={})))] == ["uint8", "uint16", "float32"]
    assert [resizes_floats(some) for some in ((step(scale={}), resize), (resize, step(scale={})))] == [True, False]
