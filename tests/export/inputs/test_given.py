"""lit_export.inputs.given: what a module is called with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.inputs.given import named, of_arrays, of_example, of_typed
from lit_export.inputs.typed import parsed
from lit_infer.errors import UsageError


class Net(nn.Module):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x if mask is None else x * mask


ONE = torch.ones(2)


@pytest.mark.parametrize(
    ("example", "first"),
    [
        (ONE, ((ONE,), {})),
        ((ONE, 5), ((ONE, 5), {})),
        ([ONE], ((ONE,), {})),
        ({"x": ONE}, ((), {"x": ONE})),
    ],
)
def test_an_example_is_taken_as_lightning_does_and_else_as_one_argument(example: Any, first: Any) -> None:
    found = of_example(example)

    assert found.candidates[0] == first
    assert found.candidates[-1] == ((example,), {})
    assert (found.kind, found.is_real) == ("example", False)


@pytest.mark.parametrize(
    ("example", "message"),
    [({"x": np.zeros(2)}, r"holds a numpy array \(x\)"), ((1, "a"), "holds no tensor but tuple")],
)
def test_an_example_without_tensors_is_explained(example: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        of_example(example)


def test_typed_inputs_have_the_batch_where_it_was_asked_for() -> None:
    texts = [parsed(text) for text in ("x=10x20", "mask=7:int64:3..3", "t=:float64")]
    axes: Mapping[str, int | None] = {"x": 1, "t": None}

    class Three(nn.Module):
        def forward(self, x: Tensor, mask: Tensor, t: Tensor) -> Tensor:
            return x + mask.sum() + t

    found = of_typed(Three(), texts, axes, rows=2)

    assert found.named is not None
    assert {name: tuple(tensor.shape) for name, tensor in found.named.items()} == {
        "x": (10, 2, 20),
        "mask": (2, 7),
        "t": (),
    }
    assert found.named["mask"].unique().tolist() == [3]
    assert found.named["t"].dtype == torch.float64


def test_inputs_without_names_have_those_of_the_arguments() -> None:
    assert list(named(Net(), [parsed("4"), parsed("4"), parsed("4")])) == ["x", "mask", "input_2"]
    with pytest.raises(UsageError, match="--input x is given twice"):
        named(Net(), [parsed("4"), parsed("x=4")])


def test_arrays_are_copied() -> None:
    array = np.zeros(2, dtype=np.float32)

    found = of_arrays(Net(), {"x": array}, by_name=True, kind="file")
    assert found.named is not None
    found.named["x"].add_(1)

    assert array.tolist() == [0, 0]
    assert found.is_real
