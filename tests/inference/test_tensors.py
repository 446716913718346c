import numpy as np
import pytest

from lit_infer.errors import UsageError
from lit_infer.manifest import Tensor
from lit_infer.tensors import in_order
from tests.inference.tiny import described

TWO = described(
    task="tensor",
    labels=None,
    preprocess=(),
    inputs=(
        Tensor(name="a", dtype="float32", shape=("batch", 2)),
        Tensor(name="b", dtype="int64", shape=(4,)),
    ),
)


def test_arrays_come_in_the_graphs_order() -> None:
    a, b = np.zeros((7, 2), np.float32), np.zeros(4, np.int64)

    first, second = in_order({"b": b, "a": a}, TWO)

    assert first is a
    assert second is b


def test_a_fixed_side_is_fixed_and_a_named_one_is_not() -> None:
    with pytest.raises(UsageError, match=r"input b is int64 \[4\], not int64 \[5\]"):
        in_order({"a": np.zeros((1, 2), np.float32), "b": np.zeros(5, np.int64)}, TWO)


def test_missing_and_unknown_names_are_told() -> None:
    with pytest.raises(UsageError, match="the graph takes a, b, not a, c"):
        in_order({"a": np.zeros((1, 2), np.float32), "c": np.zeros(4, np.int64)}, TWO)
