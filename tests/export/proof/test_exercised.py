"""lit_export.proof.exercised: what of a module's source ran on the inputs of the proof, and what did not."""

from collections.abc import Iterable
from types import CodeType

import pytest
import torch
from torch import nn

from lit_export.proof.coverage import CodeTrace, Coverage, recording, running
from lit_export.proof.exercised import Exercised, exercised
from tests.cases.modules import DomainExperts, GuardedDetector
from tests.export.proof.branches import Careful, Ragged


def run(module: nn.Module, *calls: tuple[torch.Tensor, ...]) -> Exercised:
    with torch.no_grad(), recording() as coverage:
        for inputs in calls:
            with running():
                module.eval()(*inputs)
    return exercised(coverage)


def lines(found: Exercised) -> list[tuple[str, str]]:
    return [(one.text, one.what) for one in found.unexercised()]


def test_a_conditional_with_one_side_and_the_lines_that_never_ran_are_named() -> None:
    found = run(GuardedDetector(), (torch.rand(1, 3, 64, 64) * 0.1,))
    assert (found.lines, found.lines_run) == (6, 4)
    assert {one.file for one in found.unexercised()} == {"tests/cases/modules.py"}
    assert lines(found) == [
        ("if keep.numel() == 0:", "always true"),
        ("left, top = keep % 4 * 16.0, keep // 4 * 16.0", "never ran"),
        ("return torch.stack([left, top, left + 16, top + 16], -1), score[keep]", "never ran"),
    ]


def test_all_calls_count_together() -> None:
    detector = GuardedDetector()
    found = run(detector, (torch.zeros(1, 3, 64, 64),), (torch.ones(1, 3, 64, 64),))
    assert (found.lines, found.lines_run, lines(found)) == (6, 6, [])
    assert lines(run(DomainExperts(), (torch.ones(3, 4), torch.tensor([0, 1, 0])))) == []


def test_every_kind_of_conditional_is_seen_and_each_is_named_once() -> None:
    found = run(Ragged(), (torch.rand(3, 4),))
    assert [(text, what) for text, what in lines(found) if what != "never ran"] == [
        ("if self.doubled:", "always true"),
        ("if self.started:", "always true"),
        ("if count > 3:", "always false"),
        ("y = x * 2 if len(rows) else x", "always false"),
        ("if self._is_bright(x):", "always false"),
        ("if features % 2:", "always false"),
        ("if y is None or y.shape[1] == 3:", "always false"),
        ("values = [value for value in x.tolist() if value[0] > 1000]", "always false"),
        ("if not values:", "always false"),
    ]
    assert ("for row in rows:", "never ran") in lines(found)


def test_what_comes_first_is_what_is_asked_for() -> None:
    found = run(Ragged(), (torch.rand(3, 4),))
    count = next(one for one in found.one_sided if "count" in one.text)
    assert found.unexercised([count])[0].text == "if count > 3:"
    assert len(found.unexercised([count])) == len(found.unexercised())


def test_what_only_raises_or_is_for_training_need_not_run() -> None:
    found = run(Careful(), (torch.rand(3, 4),))
    assert lines(found) == []
    assert found.lines == found.lines_run


def test_a_function_that_is_never_called_does_not_count() -> None:
    class Spare(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

        def unused(self, x: torch.Tensor) -> torch.Tensor:
            return x - 1

    assert run(Spare(), (torch.ones(1),)).lines == 1


def without_source(filename: str) -> Iterable[CodeType]:
    yield compile("def f(x):\n    return 1 if x else 2\n", filename, "exec").co_consts[0]


@pytest.mark.parametrize("filename", ["/nowhere/net.py"])
def test_code_without_source_has_no_number_of_lines(filename: str) -> None:
    coverage = Coverage()
    for code in without_source(filename):
        coverage.traces[id(code)] = CodeTrace(code, {(-1, 2)})
    found = exercised(coverage)
    assert (found.lines, found.lines_run, found.unexercised()) == (None, None, ())
