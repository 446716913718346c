"""lit_export.proof.branches: what a graph that follows one run would freeze."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.proof import coverage, samples
from lit_export.proof.branches import Branches
from lit_export.proof.exercised import exercised
from lit_infer import progress
from lit_infer.manifest import DeploymentFacts
from tests.cases.modules import DomainExperts, GuardedDetector
from tests.export.proof.branches import Careful, Clipped, EachColumn, UpToLength
from tests.support.targets import target_for

TENSOR = DeploymentFacts(task="tensor")


def branches_of(module: nn.Module, *inputs: str, **options: object) -> Branches:
    target = target_for(module.eval(), TENSOR, inputs=inputs, **options)
    with coverage.recording() as seen:
        expected = samples.samples(target, images=None, scratch=Path())
    return Branches(target, expected, exercised(seen))


def test_a_guard_that_no_input_passed_is_refused_with_its_line_and_those_that_never_ran() -> None:
    found = branches_of(GuardedDetector(), "3x64x64", static_batch=1)
    text = found.refusal()
    assert text is not None
    assert "`if keep.numel() == 0:` (tests/cases/modules.py:53) was always true" in text
    assert "lines that never ran: tests/cases/modules.py:55, tests/cases/modules.py:56" in text
    assert "--data-module" in text
    assert "--accept-unexercised" in text


def test_a_branch_on_configuration_is_listed_behind_one_on_data_and_refuses_nothing() -> None:
    found = branches_of(Clipped(), "4")
    assert [one.text for one in found.frozen] == ["if x.max() > 50:"]
    assert [one.text for one in found.unexercised()][:2] == ["if x.max() > 50:", "if self.normed:"]
    assert branches_of(Careful(), "4").refusal() is None


def test_a_branch_on_an_input_that_always_has_one_value_freezes_what_was_said_of_it() -> None:
    assert branches_of(UpToLength(), "x=4", "length=:int64:1..3").refusal() is not None
    found = branches_of(UpToLength(), "x=4", "length=:int64:3..3")
    assert found.refusal() is None
    assert "if length.max() == 0:" in [one.text for one in found.unexercised()]


def test_a_loop_of_which_each_turn_took_one_side_is_refused_although_both_ran() -> None:
    found = branches_of(EachColumn(), "4")
    assert found.exercised.one_sided == []
    text = found.refusal()
    assert text is not None
    assert "was always true at turn 1 of its loop" in text
    assert [one.text for one in found.unexercised()] == [
        "if x[:, column].max() > (100 if column else -100):  # at its turn 1"
    ]


def test_what_took_both_sides_is_suspected_only_where_a_graph_is_wrong() -> None:
    module = DomainExperts()
    target = target_for(module.eval(), TENSOR, inputs=("x=4", "domain=:int64"))
    with coverage.recording() as seen:
        for domain in ([0, 1, 2], [0, 0, 0], [1, 1, 2]):
            with torch.no_grad(), coverage.running():
                module(torch.ones(3, 4), torch.tensor(domain))
    inputs = (np.ones((3, 4), dtype=np.float32), np.zeros(3, dtype=np.int64))
    expected = [samples.Sample(inputs, (np.zeros((3, 2), dtype=np.float32),))]
    found = Branches(target, expected, exercised(seen))
    assert found.refusal() is None
    assert found.suspects().endswith("`if rows.any():` (tests/cases/modules.py:38)")
    assert branches_of(Careful(), "4").suspects() == ""


def test_where_a_module_cannot_be_observed_any_branch_may_be_on_data(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shy(nn.Module):
        """It refuses to run under a mode of torch, as some compiled extensions do."""

        def __init__(self) -> None:
            super().__init__()
            self.flag = False

        def forward(self, x: Tensor) -> Tensor:
            flag = self.flag
            if flag:
                return x
            if torch.overrides._get_current_function_mode() is not None:
                raise RuntimeError("not here")
            return x * 2

    heard = list[str]()
    with progress.listening(progress.Listener(warn=heard.append)):
        text = branches_of(Shy(), "4").refusal()
    assert text is not None
    assert "if flag:" in text
    assert "could not be observed" in heard[0]
