"""lit_export.verify: a graph that is not the eager module must not pass."""

import numpy as np
import pytest
import torch
from torch import nn

from lit_export import verify
from lit_infer.engines import OpenGraph
from lit_infer.errors import GateError
from lit_infer.manifest import MadeWith, Manifest, Source, Tensor
from lit_infer.predictor import Predictor

SHAPE = (4, 4, 3)


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(48, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.linear(images.flatten(1).float() / 64), dim=-1)


def predictor_of(run: object) -> Predictor:
    described = Manifest(
        name="tiny",
        task="image-classification",
        source=Source(digest="0" * 64, class_path="x.Tiny"),
        inputs=(Tensor(name="images", dtype="uint8", shape=("batch", *SHAPE)),),
        preprocess=(),
        normalize=None,
        outputs=(Tensor(name="probabilities", dtype="float32", shape=("batch", 5)),),
        labels=None,
        made_with=MadeWith(versions={}, command="test"),
    )
    return Predictor(described, OpenGraph(run=run, engine="test", device="cpu", embedded=None), threads=1)  # type: ignore[arg-type]


@pytest.fixture
def module() -> nn.Module:
    return Tiny().eval()


def answers(module: nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return module(torch.from_numpy(images)).numpy()


def test_the_same_answers_pass_and_are_recorded(module: nn.Module) -> None:
    found = verify.parity(predictor_of(lambda arrays: [answers(module, arrays[0])]), verify.samples(module, SHAPE))
    assert found.batches == (1, 2, 7)
    assert (found.max_abs, found.max_rel, found.top1_agreement) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("change", [1.01, 0.99])
def test_logits_off_by_one_percent_fail(module: nn.Module, change: float) -> None:
    wrong = Tiny().eval()
    with torch.no_grad():
        wrong.linear.weight.mul_(change)
    with pytest.raises(GateError, match="parity failed"):
        verify.parity(predictor_of(lambda arrays: [answers(wrong, arrays[0])]), verify.samples(module, SHAPE))


def test_an_error_in_the_smallest_probability_is_seen(module: nn.Module) -> None:
    """A softmax near certainty hides errors from an absolute tolerance; the relative one sees them."""
    with torch.no_grad():
        module.linear.bias.copy_(torch.tensor([9.0, 0, 0, 0, 0]))

    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        out = answers(module, arrays[0])
        out[:, 3] *= 1.05
        return [out]

    with pytest.raises(GateError, match="parity failed"):
        verify.parity(predictor_of(run), verify.samples(module, SHAPE))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_graph_that_is_not_finite_fails(module: nn.Module, value: float) -> None:
    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [np.full((len(arrays[0]), 5), value, dtype=np.float32)]

    with pytest.raises(GateError, match="NaN or infinity"):
        verify.parity(predictor_of(run), verify.samples(module, SHAPE))


def test_a_graph_with_a_frozen_batch_fails(module: nn.Module) -> None:
    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [answers(module, np.resize(arrays[0], (2, *SHAPE)))]

    with pytest.raises(GateError, match="for 1 images"):
        verify.parity(predictor_of(run), verify.samples(module, SHAPE))


def test_a_module_in_training_mode_is_refused(module: nn.Module) -> None:
    with pytest.raises(GateError, match="training mode"):
        verify.samples(module.train(), SHAPE)


def test_a_diverged_module_is_refused(module: nn.Module) -> None:
    with torch.no_grad():
        module.linear.weight.fill_(torch.nan)
    with pytest.raises(GateError, match="of no use"):
        verify.samples(module, SHAPE)


def test_samples_are_the_same_every_time(module: nn.Module) -> None:
    first, again = verify.samples(module, SHAPE), verify.samples(module, SHAPE)
    assert [len(sample.images) for sample in first] == [1, 2, 7]
    assert all(np.array_equal(a.images, b.images) for a, b in zip(first, again, strict=True))


def test_a_looser_tolerance_is_recorded_as_such(module: nn.Module) -> None:
    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [answers(module, arrays[0]) * np.float32(1.01)]

    found = verify.parity(predictor_of(run), verify.samples(module, SHAPE), rtol=0.1)
    assert found.rtol == 0.1
    assert 0.005 < found.max_rel < 0.02
