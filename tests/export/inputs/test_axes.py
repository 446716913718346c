"""lit_export.inputs.axes: which side of each input is the batch, found by trying."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export.inputs import axes
from lit_infer.tensors import Arrays
from tests.cases import modules


class Recurrent(nn.Module):
    """A recurrent layer, its state given or not."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(20, 20, num_layers=2, batch_first=batch_first)

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, Tensor]:
        return self.gru(x, *state)  # type: ignore[no-any-return]


class Scaled(nn.Module):
    def forward(self, scale: Tensor, x: Tensor) -> Tensor:
        return x * scale


class Unused(nn.Linear):
    def forward(self, x: Tensor, unused: Tensor) -> Tensor:  # type: ignore[override]  # noqa: ARG002
        return super().forward(x)


class Loss(nn.Linear):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return (x**2).mean(), super().forward(x)


def run_of(module: nn.Module) -> Callable[[Arrays], list[NDArray[Any]]]:
    module.eval()

    def run(arrays: Arrays) -> list[NDArray[Any]]:
        with torch.no_grad():
            answer = module(*map(torch.from_numpy, arrays))
        return [tensor.numpy() for tensor in (answer if isinstance(answer, tuple) else (answer,))]

    return run


def found(module: nn.Module, *shapes: tuple[int, ...], pinned: dict[int, int | None] | None = None) -> axes.Axes | None:
    generator = np.random.default_rng(0)
    arrays = tuple(np.asarray(generator.standard_normal(shape), dtype=np.float32) for shape in shapes)
    return axes.found(run_of(module), arrays, pinned)


@pytest.mark.parametrize(
    ("module", "shapes", "expected"),
    [
        (nn.Linear(4, 2), [(1, 4)], (0,)),
        (nn.ReLU(), [(5, 5)], (0,)),
        (nn.Conv2d(3, 8, 3), [(1, 3, 16, 16)], (0,)),
        (modules.InBatch(), [(4, 4)], (0,)),  # its rows are not independent; no other side could be it
        (modules.Prototypes(), [(2, 4), (7, 4)], (0, None)),
        (modules.Prototypes(), [(7, 4), (7, 4)], (0, None)),
        (modules.Prototypes(), [(1, 4), (1, 4)], (0, None)),
        (modules.TimeFirst(), [(10, 3, 20), (1, 3, 20)], (1, 1)),
        (modules.TimeFirst(2, 2), [(2, 3, 20), (2, 3, 20)], (1, 1)),
        (modules.TimeFirst(3, 3), [(3, 3, 20), (3, 3, 20)], (1, 1)),
        (Recurrent(batch_first=False), [(10, 3, 20)], (1,)),
        (Recurrent(batch_first=True), [(3, 10, 20)], (0,)),
        (Recurrent(batch_first=True), [(3, 10, 20), (2, 3, 20)], (0, 1)),
        (Recurrent(batch_first=True), [(2, 10, 20), (2, 2, 20)], (0, 1)),
        (nn.TransformerEncoderLayer(8, 2, 16), [(6, 3, 8)], (1,)),
        (Scaled(), [(), (4, 3)], (None, 0)),
        (Scaled(), [(3,), (3, 3)], (None, 0)),
        (Scaled(), [(1, 1), (1, 3)], (0, 0)),
        (Unused(4, 2), [(2, 4), (2, 3)], (0, 0)),
        (Unused(4, 2), [(2, 4), (5, 3)], (0, None)),
        (Loss(6, 2), [(2, 6)], (0,)),
    ],
)
def test_the_batch_is_where_rows_can_be_added(module: nn.Module, shapes: Any, expected: axes.Axes) -> None:
    assert found(module, *shapes) == expected


def test_an_image_without_a_batch_has_none() -> None:
    assert found(nn.Conv2d(3, 8, 3), (3, 16, 16)) is None


def test_what_the_user_says_is_kept_to() -> None:
    assert found(Recurrent(batch_first=False), (10, 3, 20), pinned={0: 0}) == (0,)
    assert found(Scaled(), (4, 3), (4, 3), pinned={0: None}) is None  # both sides must change together


def test_a_usual_module_is_run_twice_and_no_more() -> None:
    calls = []
    run = run_of(nn.Linear(4, 2))

    def counted(arrays: Arrays) -> list[NDArray[Any]]:
        calls.append(arrays)
        return run(arrays)

    assert axes.found(counted, (np.zeros((2, 4), dtype=np.float32),)) == (0,)
    assert len(calls) == 2


def test_rows_begin_again_after_the_last() -> None:
    (array,) = axes.resized((np.array([[1, 2, 3]]),), (1,), 4, first=-1)

    assert array.tolist() == [[3, 1, 2, 3]]
