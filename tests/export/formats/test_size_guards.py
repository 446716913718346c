"""lit_export.formats.size_guards: sizes that an exporter took for granted."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lit_export.formats.size_guards import doubts


class Asks(nn.Module):
    """Computes a row's answer by a function that may ask for sizes."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.table = nn.Parameter(torch.randn(64, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x)


def found(answer: Callable[[Tensor], Tensor], *sides: str) -> list[tuple[str, int]]:
    dim = torch.export.Dim.DYNAMIC
    dynamic = dict(enumerate(sides))
    rows = (torch.randn(2, 6, 4),)
    program = torch.export.export(Asks(answer), rows, dynamic_shapes=(dict.fromkeys(dynamic, dim),), strict=False)
    return [(one.side, one.size) for one in doubts(program, (dynamic,))]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda x: x * 2 if x.shape[0] > 16 else x, [("batch", 17)]),
        (lambda x: torch.cat([part * 2 for part in x.split(16)]), [("batch", 17)]),
        (lambda x: x if x.shape[0] < 4 else x * 2, [("batch", 4)]),
        (lambda x: x * 3 if x.shape[1] == 9 else x, [("length", 9)]),
        (lambda x: x if x.shape[1] % 2 == 0 else x * 3, [("length", 7), ("length", 5)]),
        (lambda x: x if x.shape[1] > 4 else x * 3, [("length", 4)]),
        (lambda x: x * 2, []),
    ],
)
def test_the_nearest_size_on_either_side_that_breaks_a_guard(
    answer: Callable[[Tensor], Tensor], expected: list[tuple[str, int]]
) -> None:
    assert found(answer, "batch", "length") == expected


def test_the_line_that_asks_is_known_and_fixed_sides_are_left_alone() -> None:
    def chunked(x: Tensor) -> Tensor:
        return x * 2 if x.shape[0] > 20 else x

    program = torch.export.export(
        Asks(chunked), (torch.randn(2, 4),), dynamic_shapes=({0: torch.export.Dim.AUTO},), strict=False
    )
    (one,) = doubts(program, ({0: "batch"},))
    assert one.place.startswith("test_size_guards.py:")
    assert doubts(program, ({},)) == ()


def test_without_guards_the_range_of_a_side_says_it() -> None:
    def short(x: Tensor) -> Tensor:
        return x[:, :3] if x.shape[0] > 30 else x

    program = torch.export.export(
        Asks(short), (torch.randn(2, 4),), dynamic_shapes=({0: torch.export.Dim.AUTO},), strict=False
    ).run_decompositions()
    assert [(one.side, one.size) for one in doubts(program, ({0: "batch"},))] == [("batch", 31)]
