"""lit_export.proof.data_flow: a decision on data is told from one on configuration."""

import numpy as np
import torch
from torch import nn

from lit_export.proof.coverage import recording, running
from lit_export.proof.data_flow import depends_on_data, is_configuration, written_attributes
from lit_export.proof.exercised import exercised
from lit_export.proof.observed import observed
from tests.cases.modules import DomainExperts, GuardedDetector
from tests.export.proof.branches import Derived, Ragged


def on_data(module: nn.Module, **inputs: np.ndarray) -> dict[str, bool]:
    """The lines of all decisions that were reached, and whether they depend on data."""
    with torch.no_grad(), recording() as coverage, running():
        module.eval()(*(torch.from_numpy(array) for array in inputs.values()))
    found = observed(module, tuple(inputs.values()), list(inputs))
    return {one.text: depends_on_data(one, found.spans(one.source.filename)) for one in exercised(coverage).decisions}


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def test_sizes_and_values_of_data_are_told_from_settings_buffers_and_fixed_sizes() -> None:
    assert on_data(Ragged(), x=noise(3, 4)) == {
        "if self.doubled:": False,
        "if self.started:": False,
        "if count > 3:": True,
        "y = x * 2 if len(rows) else x": True,
        "if self._is_bright(x):": True,
        "if features % 2:": False,
        "if y is None or y.shape[1] == 3:": False,
        "values = [value for value in x.tolist() if value[0] > 1000]": True,
        "if not values:": True,
        "for row in rows:": True,
    }


def test_data_is_followed_through_names_and_through_what_is_written() -> None:
    assert set(on_data(Derived(), x=noise(3, 4)).values()) == {True}


def test_the_cases_depend_on_data() -> None:
    assert on_data(GuardedDetector(), x=noise(1, 3, 64, 64) / 9) == {"if keep.numel() == 0:": True}
    experts = on_data(DomainExperts(), x=noise(3, 4), domain=np.zeros(3, dtype=np.int64))
    assert experts == {"if rows.any():": True}


class Settings(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm: nn.Module | None = None
        self.width, self.count = 3, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count = int((x > 0).sum())
        if self.norm is not None and self.width > 3:
            x = x * 2
        if self.count > 100:
            x = x * 3
        if self.depth() > 1:
            x = x * 4
        return x

    def depth(self) -> int:
        return 1


def test_settings_are_told_without_a_look_at_the_run() -> None:
    with torch.no_grad(), recording() as coverage, running():
        Settings().eval()(torch.ones(2, 2))
    decisions = exercised(coverage).decisions
    written = written_attributes(decisions)
    assert "count" in written
    assert "width" not in written
    assert {one.text: is_configuration(one, written) for one in decisions} == {
        "if self.norm is not None and self.width > 3:": True,
        "if self.count > 100:": False,
        "if self.depth() > 1:": False,
    }
