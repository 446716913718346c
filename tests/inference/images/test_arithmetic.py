"""What the steps do to values, where it can be said in numbers; against their libraries: test_reference."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lit_infer.images import arithmetic
from lit_infer.images.limits import DEFAULT_LIMITS
from lit_infer.images.values import Channels, Grayscale, Normalize, Scale, Stretch

RAMP = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


def stretched(array: Any, **fields: Any) -> Any:
    return arithmetic.stretch(array, Stretch(**fields), DEFAULT_LIMITS)


def test_channels_are_taken_in_their_order_and_may_repeat() -> None:
    assert_array_equal(arithmetic.channels(RAMP, Channels(order=(2, 0, 0)), DEFAULT_LIMITS), RAMP[:, :, [2, 0, 0]])


def test_values_are_scaled_and_normalised_in_float32() -> None:
    scaled: Any = arithmetic.scale(RAMP, Scale(by=2), DEFAULT_LIMITS)
    normal: Any = arithmetic.normalize(scaled, Normalize(mean=(1.0,), std=(0.5,)), DEFAULT_LIMITS)

    assert (scaled.dtype, normal.dtype) == (np.float32, np.float32)
    assert_allclose(normal, RAMP.astype(np.float64) - 2)


def test_grey_of_grey_is_repeated_and_not_computed_again() -> None:
    grey: Any = arithmetic.grayscale(RAMP[:, :, :1], Grayscale(channels=3), DEFAULT_LIMITS)

    assert_array_equal(grey, RAMP[:, :, [0, 0, 0]])


@pytest.mark.parametrize(
    ("fields", "least", "most"),
    [
        ({}, 0, 1),
        ({"kind": "percentile", "low": 25, "high": 75}, -0.5, 1.5),
        ({"kind": "percentile", "low": 25, "high": 75, "clip": True}, 0, 1),
        ({"kind": "percentile", "low": 25, "high": 75, "limit": 1.25}, -0.5, 1.25),
        ({"kind": "standard", "limit": 1}, -1, 1),
    ],
)
def test_a_picture_is_stretched_by_its_own_values(fields: dict[str, Any], least: float, most: float) -> None:
    found = stretched(RAMP, **fields)

    assert_allclose((found.min(), found.max()), (least, most), atol=1e-6)


def test_a_picture_of_one_value_stays_finite() -> None:
    for kind in ("min_max", "standard"):
        assert_array_equal(stretched(np.full((2, 2, 1), 7, np.uint8), kind=kind), np.zeros((2, 2, 1)))
