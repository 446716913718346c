"""When two answers are the same, and whether an array fits a tensor."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from msgspec.structs import replace
from numpy.typing import NDArray

from lit_infer.manifest import Dimension, Graph
from lit_infer.proof import TOLERANCES, agreement, allowed, difference, fits, same_weights
from tests.inference.tiny import described
from tests.support.golden import PARITY

values = arrays.arrays(np.float64, (3, 2), elements=st.floats(-1e3, 1e3))


@given(truth=values, delta=values)
def test_a_difference_is_that_of_each_value_and_its_largest(truth: NDArray[Any], delta: NDArray[Any]) -> None:
    found = difference(truth + delta, truth)

    np.testing.assert_allclose(found.values, np.abs(delta), atol=1e-9)
    assert found.max_abs == found.values.max()
    assert difference(truth, truth).max_abs == difference(truth, truth).max_rel == 0


def test_small_values_are_compared_with_the_floor_and_none_divides_by_zero() -> None:
    found = difference(np.array([100.0, 1e-3]), np.array([100.0, 0.0]), atol=1e-3)

    assert found.floor == pytest.approx(0.1)
    assert found.max_rel == pytest.approx(0.01)
    assert found.share == pytest.approx(1e-5)
    assert np.isfinite(difference(np.ones(2), np.zeros(2)).share)
    assert difference(np.zeros((0, 2)), np.zeros((0, 2))).max_abs == 0


@pytest.mark.parametrize(
    ("have", "want", "is_fit"),
    [
        ((4, 3), ("batch", 3), True),
        ((4, 2), ("batch", 3), False),
        ((4,), ("batch", 3), False),
        ((2, 2), ("side", "side"), True),
        ((2, 3), ("side", "side"), False),
    ],
)
def test_an_array_fits_where_every_side_does(have: tuple[int, ...], want: tuple[Dimension, ...], is_fit: bool) -> None:
    assert fits(have, want, {}) is is_fit


def test_a_named_side_has_one_length_in_all_tensors() -> None:
    sides: dict[str, int] = {}

    assert fits((4, 3), ("batch", 3), sides)
    assert sides == {"batch": 4}
    assert not fits((5,), ("batch",), sides)


def test_a_lower_precision_may_differ_by_more() -> None:
    fp32, *lower = (TOLERANCES[name] for name in ("fp32", "fp16", "bf16", "int8"))

    assert all(one.atol > fp32.atol and one.of_spread > fp32.of_spread for one in lower)
    assert same_weights(None) == same_weights("fp32") < same_weights("int8")


def test_a_graph_may_be_as_far_off_as_it_was_proven_and_int8_no_further_than_it_was() -> None:
    measured = difference(np.array([1.0, 100.0]), np.array([1.0, 100.0]), atol=1e-3)
    proven = replace(PARITY, rtol=0.01, max_abs=0.5, eager_error=None)

    fp32 = allowed(Graph(format="onnx", status="ok"), proven, measured)
    int8 = allowed(Graph(format="onnx", status="ok", precision="int8"), replace(proven, max_abs=0.2), measured)

    np.testing.assert_allclose(fp32, [0.1 + 0.01, 0.1 + 1])
    np.testing.assert_allclose(int8, [0.1 + 0.01, 0.5])


def test_agreement_is_the_share_of_rows_with_the_same_answer() -> None:
    one = np.array([[0.9, 0.05, 0.05], [0.1, 0.5, 0.4]], dtype=np.float32)
    other = np.array([[0.8, 0.1, 0.1], [0.1, 0.4, 0.5]], dtype=np.float32)

    assert agreement(one, other, described()) == 0.5
    assert agreement(one, other, described(task="image-embedding", labels=None)) is None
