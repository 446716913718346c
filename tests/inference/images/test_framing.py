"""The steps that cut or add pixels at the edges: their sizes, and what they refuse. Their pixels: test_reference."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.images.framing import CenterCrop, Crop, Pad
from lit_infer.images.preprocess import Step
from tests.support.pixel_steps import pads, step

SIDES = st.integers(1, 3000)


@given(length=SIDES, wanted=SIDES)
def test_a_crop_by_either_rounding_has_its_size_and_is_in_the_middle(length: int, wanted: int) -> None:
    for crop in (CenterCrop(size=wanted), CenterCrop(size=wanted, rounding="down")):
        left, top, right, bottom = crop.box(length, length)

        assert (left, right - left, top, bottom - top) == (top, wanted, left, wanted)
        assert abs((length - right) - left) <= 1
        if wanted <= length:
            assert left >= 0
            assert right <= length


def test_the_two_roundings_differ_where_an_odd_number_is_left_over() -> None:
    assert CenterCrop(size=4).box(7, 9)[:2] == (2, 2)  # 1.5 and 2.5, to even numbers
    assert CenterCrop(size=4, rounding="down").box(7, 9)[:2] == (1, 2)


@given(fraction=st.floats(0.001, 1), width=SIDES, height=SIDES)
def test_a_fraction_lies_inside_and_is_never_empty(fraction: float, width: int, height: int) -> None:
    left, top, right, bottom = Crop(fraction=fraction).at(width, height)

    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert right - left == max(1, int(width * fraction))


@given(one=pads(), width=SIDES, height=SIDES)
def test_a_pad_adds_and_takes_nothing_away(one: Step, width: int, height: int) -> None:
    pad = one.value
    assert isinstance(pad, Pad)
    left, top, right, bottom = pad.margins(width, height)
    wide, high = pad.output_size(width, height)

    assert min(left, top, right, bottom) >= 0
    assert (wide, high) == (left + width + right, top + height + bottom)
    assert (pad.placement(width, height).shift_x, pad.placement(width, height).shift_y) == (left, top)
    if pad.square:
        assert wide == high == max(width, height)
    if isinstance(pad.multiple, int):
        assert (wide % pad.multiple, high % pad.multiple) == (0, 0)
        assert (wide - width < pad.multiple, high - height < pad.multiple) == (True, True)
    if isinstance(pad.size, int):
        assert (wide, high) == (max(width, pad.size), max(height, pad.size))


@pytest.mark.parametrize(
    ("position", "margins"),
    [
        ("center", (2, 1, 3, 2)),
        ("top_left", (0, 0, 5, 3)),
        ("top_right", (5, 0, 0, 3)),
        ("bottom_left", (0, 3, 5, 0)),
        ("bottom_right", (5, 3, 0, 0)),
    ],
)
def test_the_image_stays_where_its_position_says(position: Any, margins: tuple[int, int, int, int]) -> None:
    assert Pad(size=(10, 15), position=position).margins(10, 7) == margins


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"center_crop": {"size": 0}}, "must be positive"),
        ({"center_crop": {"size": [8, 0]}}, "must be positive"),
        ({"center_crop": {"size": 8, "rounding": "up"}}, "up"),
        ({"crop": {}}, "either box or fraction"),
        ({"crop": {"box": [0, 0, 4, 4], "fraction": 0.5}}, "either box or fraction"),
        ({"crop": {"box": [4, 0, 4, 4]}}, "of some pixels"),
        ({"crop": {"box": [-1, 0, 4, 4]}}, "of some pixels"),
        ({"crop": {"fraction": 0}}, "above 0"),
        ({"crop": {"fraction": 1.5}}, "1 at most"),
        ({"pad": {}}, "one of size, multiple, square and amounts"),
        ({"pad": {"size": 8, "square": True}}, "one of size, multiple, square and amounts"),
        ({"pad": {"size": 0}}, "must be positive"),
        ({"pad": {"multiple": [32, 0]}}, "must be positive"),
        ({"pad": {"amounts": [1, -1, 0, 0]}}, "must not be negative; use crop"),
        ({"pad": {"size": 8, "mode": "wrap"}}, "wrap"),
        ({"pad": {"size": 8, "position": "left"}}, "left"),
    ],
)
def test_what_means_nothing_is_refused(given_: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(given_, Step)


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (step(center_crop={"size": 224}), "crop the centre, 224 x 224 (height x width)"),
        (step(crop={"box": [1, 2, 3, 4]}), "crop the box 1, 2, 3, 4 (left, top, right, bottom)"),
        (step(crop={"fraction": 0.875}), "crop the middle, 0.875 of each side"),
        (step(pad={"size": [3, 4], "fill": 114}), "pad to at least 3, 4, the image center, with 114"),
        (step(pad={"multiple": 32, "mode": "reflect"}), "pad to a multiple of 32, the image center, reflect"),
        (step(pad={"square": True, "fill": [1, 2, 3]}), "pad to a square, the image center, with 1, 2, 3"),
    ],
)
def test_it_says_in_words_what_it_does(one: Step, says: str) -> None:
    assert one.value.describe() == says
