"""lit_export.proof.parity: a graph that is not the eager module must not pass."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lit_export.options import Options
from lit_export.proof import parity as law
from lit_export.proof import samples
from lit_export.tasks import Target
from lit_infer.engines import OpenGraph
from lit_infer.errors import GateError
from lit_infer.manifest import CenterCrop, DeploymentFacts, MadeWith, Manifest, Parity, Resize, Source, Step
from lit_infer.predictor import Predictor
from tests.inference.tiny import noise, save
from tests.support.targets import target_for

FACTS = DeploymentFacts(
    task="image-classification", preprocess=(Step(resize=Resize(size=5)), Step(center_crop=CenterCrop(size=4)))
)
Run = Callable[[list[np.ndarray]], list[np.ndarray]]


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(48, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.linear(images.flatten(1) * 4)


def target_of(module: nn.Module) -> Target:
    return target_for(module.eval(), FACTS)


def predictor_of(target: Target, run: Run) -> Predictor:
    described = Manifest(
        name="tiny",
        task="image-classification",
        source=Source(digest="0" * 64, class_path="x.Tiny"),
        inputs=target.inputs,
        preprocess=FACTS.preprocess,
        normalize=None,
        outputs=target.outputs,
        labels=None,
        made_with=MadeWith(versions={}, command="test"),
    )
    return Predictor(described, OpenGraph(run=run, engine="test", device="cpu", embedded=None), threads=1)  # type: ignore[arg-type]


def parity(target: Target, run: Run, scratch: Path, images: Path | None = None, **options: float) -> Parity:
    expected = samples.samples(target, images=images, scratch=scratch)
    allowed = law.tolerance("fp32", Options(**options))  # type: ignore[arg-type]
    return law.parity(predictor_of(target, run), expected, precision="fp32", tolerance=allowed)


@pytest.fixture
def target() -> Target:
    return target_of(Tiny())


def answers(target: Target, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return target.module(torch.from_numpy(images.copy())).numpy()


def test_the_same_answers_pass_and_are_recorded(target: Target, tmp_path: Path) -> None:
    found = parity(target, lambda arrays: [answers(target, arrays[0])], tmp_path)
    assert found.batches == (1, 2, 3, 8, 4)
    assert (found.max_abs, found.max_rel, found.agreement) == (0.0, 0.0, 1.0)
    assert found.cosine == pytest.approx(1.0)


@pytest.mark.parametrize("change", [1.01, 0.99])
def test_logits_off_by_one_percent_fail(target: Target, tmp_path: Path, change: float) -> None:
    wrong = Tiny()
    with torch.no_grad():
        wrong.linear.weight.mul_(change)
    off = target_of(wrong)
    with pytest.raises(GateError, match="parity failed"):
        parity(target, lambda arrays: [answers(off, arrays[0])], tmp_path)


def test_an_error_in_a_small_probability_is_seen(tmp_path: Path) -> None:
    """A softmax near certainty hides errors from an absolute tolerance; the relative one sees them."""
    module = Tiny()
    with torch.no_grad():
        module.linear.bias.copy_(torch.tensor([6.0, 0, 0, 0, 0]))
    target = target_of(module)

    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        out = answers(target, arrays[0])
        out[:, 3] *= 1.05
        return [out]

    with pytest.raises(GateError, match="parity failed"):
        parity(target, run, tmp_path)


def test_a_graph_that_ignores_its_input_fails_where_the_module_hardly_looks_at_it(tmp_path: Path) -> None:
    module = Tiny()
    with torch.no_grad():
        module.linear.weight.mul_(1e-5)  # as of an untrained network: nearly the same answer to everything
    target = target_of(module)
    constant = answers(target, np.zeros((1, 4, 4, 3), dtype=np.uint8))
    parity(target, lambda arrays: [answers(target, arrays[0])], tmp_path)
    with pytest.raises(GateError, match=r"parity failed: .*, and 5% of the \S+ that answers vary by over the inputs"):
        parity(target, lambda arrays: [constant.repeat(len(arrays[0]), axis=0)], tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_graph_that_is_not_finite_fails(target: Target, tmp_path: Path, value: float) -> None:
    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [np.full((len(arrays[0]), 5), value, dtype=np.float32)]

    with pytest.raises(GateError, match="NaN or infinity"):
        parity(target, run, tmp_path)


def test_a_graph_with_a_frozen_batch_fails(target: Target, tmp_path: Path) -> None:
    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [answers(target, np.resize(arrays[0], (2, 4, 4, 3)))]

    with pytest.raises(GateError, match="for a batch of 1 the graph answers"):
        parity(target, run, tmp_path)


def test_the_comparison_starts_at_image_files(target: Target, tmp_path: Path) -> None:
    """A runtime that prepared images otherwise than training did would pass on tensors."""
    photo = save(tmp_path / "photos" / "a.png", noise(40, 31))
    found = parity(target, lambda arrays: [answers(target, arrays[0])], tmp_path, images=photo.parent)
    assert (found.inputs, found.batches[-1]) == ("images", 1)
    expected = samples.samples(target, images=photo.parent, scratch=tmp_path)
    wrong_crop = predictor_of(target, lambda arrays: [answers(target, arrays[0][:, ::-1].copy())])
    with pytest.raises(GateError, match="parity failed"):
        law.parity(wrong_crop, expected[-1:], precision="fp32", tolerance=law.TOLERANCES["fp32"])


def test_a_module_in_training_mode_is_refused(target: Target, tmp_path: Path) -> None:
    target.module.train()
    with pytest.raises(GateError, match="training mode"):
        samples.samples(target, images=None, scratch=tmp_path)


def test_samples_are_the_same_every_time(target: Target, tmp_path: Path) -> None:
    first, again = (samples.samples(target, images=None, scratch=tmp_path) for _ in range(2))
    assert [len(sample.inputs[0]) for sample in first] == [1, 2, 3, 8, 4]
    assert all(np.array_equal(a.inputs[0], b.inputs[0]) for a, b in zip(first, again, strict=True))


def test_another_tolerance_is_obeyed_and_recorded(target: Target, tmp_path: Path) -> None:
    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [answers(target, arrays[0]) * np.float32(1.01)]

    with pytest.raises(GateError, match="parity failed"):
        parity(target, run, tmp_path)
    assert parity(target, run, tmp_path, rtol=0.1).rtol == 0.1


def test_an_unstable_module_is_named_as_the_reason(tmp_path: Path) -> None:
    """Where float32 decides the answers by chance no graph can match them."""

    class Chaotic(Tiny):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images) + torch.sin(self.linear(images.flatten(1)) * 1e9)

    target = target_of(Chaotic())
    expected = samples.samples(target, images=None, scratch=tmp_path)
    wrong = predictor_of(target, lambda arrays: [answers(target, 255 - arrays[0])])
    allowed = law.TOLERANCES["fp32"]
    with pytest.raises(GateError, match="itself is unstable"):
        law.parity(
            wrong,
            expected,
            precision="fp32",
            tolerance=allowed,
            own_error=lambda: law.rounding_error(target, expected),
        )


def test_a_graph_is_not_expected_to_be_nearer_than_the_modules_own_rounding(tmp_path: Path) -> None:
    class Steep(Tiny):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.sin(self.linear(images.flatten(1)) * 300) * 10

    target = target_of(Steep())
    expected = samples.samples(target, images=None, scratch=tmp_path)
    error = max(law.rounding_error(target, expected))
    assert error > 0
    near = predictor_of(target, lambda arrays: [answers(target, arrays[0]) + np.float32(2 * error)])
    strict = law.Tolerance(atol=0, rtol=0, of_spread=0)
    with pytest.raises(GateError, match="parity failed"):
        law.parity(near, expected, precision="fp32", tolerance=strict)
    found = law.parity(near, expected, precision="fp32", tolerance=strict, own_error=lambda: [error])
    assert found.eager_error == error


def test_agreement_is_none_where_the_best_class_is_always_the_same(tmp_path: Path) -> None:
    """A graph that ignores its input would agree too."""
    module = Tiny()
    with torch.no_grad():
        module.linear.bias.copy_(torch.tensor([99.0, 0, 0, 0, 0]))
    target = target_of(module)
    assert parity(target, lambda arrays: [answers(target, arrays[0])], tmp_path).agreement is None
