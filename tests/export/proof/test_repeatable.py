"""lit_export.proof.repeatable: a module that is no function of its inputs is told as what it is, with the line."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.proof import samples
from lit_export.proof.repeatable import check_repeatable
from lit_infer import progress
from lit_infer.errors import GateError
from lit_infer.manifest import DeploymentFacts
from tests.export.proof.branches import Careful, Clipped
from tests.support.targets import target_for


class Shifted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.memory: list[Tensor] = []
        self.last: Tensor | None = None


class Samples(Shifted):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn(4)


class Python(Shifted):
    def forward(self, x: Tensor) -> Tensor:
        return x + random.random()  # noqa: S311 - as users write it


class Numpy(Shifted):
    def forward(self, x: Tensor) -> Tensor:
        return x + float(np.random.rand())


class Counts(Shifted):
    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return x + self.count


class Appends(Shifted):
    def forward(self, x: Tensor) -> Tensor:
        self.memory.append(x)
        return x + len(self.memory)


class Remembers(Shifted):
    """Its state fits only a batch of the same size, so that it shows when one is run twice."""

    def forward(self, x: Tensor) -> Tensor:
        if self.last is not None and self.last.shape == x.shape:
            x = x + self.last
        self.last = x
        return x


class Edits(Shifted):
    def forward(self, x: Tensor) -> Tensor:
        x[:, 0].mul_(2)
        return x.sum(1)


class Cached(Shifted):
    """State that changes no answer is nobody's business."""

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        if self.last is None:
            self.last = torch.ones(4)
        return x * self.last


def line_of(text: str) -> int:
    lines = Path(__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if line.strip() == text)


def checked(module: nn.Module) -> list[str]:
    """The warnings."""
    target = target_for(module.eval(), DeploymentFacts(task="tensor"), inputs=("4",))
    expected = samples.samples(target, images=None, scratch=Path())
    heard = list[str]()
    with progress.listening(progress.Listener(note=heard.append)):
        check_repeatable(target, expected)
    return heard


@pytest.mark.parametrize(
    ("cls", "kind", "what", "line"),
    [
        (Samples, "is random", "torch.randn in ", "return x + torch.randn(4)"),
        (Python, "is random", "Python's random", None),
        (Numpy, "is random", "numpy.random", None),
        (Counts, "keeps state", "`count` in ", "self.count += 1"),
        (Appends, "keeps state", "`memory` in ", "self.memory.append(x)"),
        (Remembers, "keeps state", "`last` in ", "self.last = x"),
    ],
)
def test_a_second_answer_that_is_another_one_has_its_cause(
    cls: type[nn.Module], kind: str, what: str, line: str | None
) -> None:
    with pytest.raises(GateError) as raised:
        checked(cls())
    text = str(raised.value)
    assert text.startswith(f"forward {kind}")
    place = f"test_repeatable.py:{line_of(line)}" if line else ""
    assert what in text
    assert place in text
    assert "differ by up to" in text
    assert "unstable" not in text


def test_edited_inputs_are_a_warning_with_the_line() -> None:
    (text,) = checked(Edits())
    assert "writes to its input x" in text
    assert f"test_repeatable.py:{line_of('x[:, 0].mul_(2)')})" in text


@pytest.mark.parametrize("cls", [Careful, Clipped, Cached])
def test_a_function_of_its_inputs_passes_in_silence(cls: type[nn.Module]) -> None:
    assert checked(cls()) == []
