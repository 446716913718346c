"""lit_export.inputs.typed: what `--input` may say."""

import numpy as np
import pytest

from lit_export.inputs.typed import Bounds, parsed, with_both
from lit_infer.errors import UsageError


@pytest.mark.parametrize(
    ("text", "name", "shape", "dtype", "low", "high"),
    [
        ("3x224x224", None, (3, 224, 224), None, None, None),
        ("ids=16:int64:0..299", "ids", (16,), "int64", 0, 299),
        ("mel=80x50:0..", "mel", (80, 50), None, 0, None),
        ("mel=80x50::..0.5", "mel", (80, 50), None, None, 0.5),
        ("domain=:int64:-1..2", "domain", None, "int64", -1, 2),
        ("x=4:float64:1e-3..2.5", "x", (4,), "float64", 1e-3, 2.5),
        ("mask=16:bool", "mask", (16,), "bool", 0, 1),
        ("image=4:uint8", "image", (4,), "uint8", 0, 255),
    ],
)
def test_name_shape_dtype_and_range(
    text: str, name: object, shape: object, dtype: object, low: object, high: object
) -> None:
    found = parsed(text)

    assert (found.name, found.shape, found.dtype) == (name, shape, dtype)
    assert (found.bounds.low, found.bounds.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected"),
        ("3xx4", r"expected \[name=\]3x224x224"),
        ("ids=16:int64:0-299", "as in ids=16:int64:0..299"),
        ("3:complex64", "the dtype complex64 is not known"),
        ("ids=16:int64:0..", "needs both ends"),
        ("ids=16:int64:0.5..2", "holds whole numbers"),
        ("ids=16:uint8:0..256", "whole numbers from 0 to 255"),
        ("x=4:2..1", "the range is empty"),
        ("x=4:..", "a range needs a number"),
    ],
)
def test_what_makes_no_sense_is_explained_in_a_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parsed(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("bounds", "dtype", "low", "high"),
    [
        (Bounds(0, 299), "int64", 0, 299),
        (Bounds(2, 3), "float32", 2, 3),
        (Bounds(5, None), "float32", 5, np.inf),
        (Bounds(None, -5), "float64", -np.inf, -5),
        (Bounds(1, 1), "bool", 1, 1),
        (Bounds(), "int32", 0, 0),
    ],
)
def test_values_are_within_their_bounds_and_of_their_dtype(bounds: Bounds, dtype: str, low: float, high: float) -> None:
    drawn = bounds.drawn(np.random.default_rng(0), (50, 20), dtype)

    assert (drawn.shape, str(drawn.dtype)) == ((50, 20), dtype)
    assert low <= drawn.min() <= drawn.max() <= high
    assert (len(np.unique(drawn)) == 1) == (low == high)


def test_integers_reach_both_ends_of_their_range() -> None:
    drawn = Bounds(0, 2).drawn(np.random.default_rng(0), (100,), "int64")

    assert set(drawn.tolist()) == {0, 1, 2}


def test_no_line_of_a_mask_is_all_of_one() -> None:
    mask = with_both(np.random.default_rng(0), np.zeros((6, 4), dtype=bool))

    assert mask.any(-1).all()
    assert not mask.all(-1).any()
    np.testing.assert_array_equal(with_both(np.random.default_rng(0), np.zeros((6, 1))), np.zeros((6, 1)))


def test_what_was_typed_is_said_in_words() -> None:
    said = [parsed(text).assumed("x") for text in ("4:int64:0..9", "4:int64:1..1", "4:0..", "4:..1")]

    assert said == [
        "x lies in 0..9 (--input)",
        "x is always 1 (--input)",
        "x is at least 0 (--input)",
        "x is at most 1 (--input)",
    ]
