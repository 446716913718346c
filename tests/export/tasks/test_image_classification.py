"""lit_export.tasks.image_classification: what is put around a user's module, and what is refused at once."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.tasks import Target, answers, in_precision
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import CenterCrop, DeploymentFacts, Normalize, Resize, Step, Task
from tests.support.targets import target_for

STEPS = (Step(resize=Resize(size=10)), Step(center_crop=CenterCrop(size=8)))


class Net(nn.Module):
    """Three numbers from an image; `shape` makes the module's answer of them."""

    def __init__(self, shape: Callable[[Tensor], Any] = lambda scores: scores, outputs: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Linear(3, outputs)
        self.shape = shape

    def forward(self, images: Tensor) -> Any:
        return self.shape(self.body(images.mean((2, 3))) * 5)


def target(module: nn.Module, task: Task = "image-classification", **changes: Any) -> Target:
    facts = DeploymentFacts(task=task, preprocess=STEPS, **changes)
    return target_for(module, facts)


def answer(found: Target) -> np.ndarray:
    return answers(found.module, found.example)[0]


def eager(module: Net, found: Target, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
    pixels = torch.from_numpy(found.example[0]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        logits = module.body(((pixels - mean) / std).mean((2, 3))) * 5
    return torch.softmax(logits, -1).numpy()


@pytest.mark.parametrize(
    "shape",
    [
        lambda scores: scores,
        lambda scores: scores.log_softmax(-1),
        lambda scores: scores.softmax(-1),
        lambda scores: {"loss": scores.sum(), "logits": scores},
        lambda scores: (scores, scores * 2),
        lambda scores: [scores],
        lambda scores: SimpleNamespace(logits=scores),
    ],
    ids=["logits", "log-probabilities", "probabilities", "dict", "tuple", "list", "object with logits"],
)
def test_whatever_a_classifier_answers_becomes_probabilities(shape: Callable[[Tensor], Any]) -> None:
    module = Net(shape)
    found = target(module)
    np.testing.assert_allclose(answer(found), eager(module, found), atol=1e-6)


def test_scaling_and_normalization_are_inside() -> None:
    module = Net()
    found = target(module, normalize=Normalize(mean=(0.5,) * 3, std=(0.25,) * 3))
    np.testing.assert_allclose(answer(found), eager(module, found, 0.5, 0.25), atol=1e-6)


def test_an_embedding_is_given_as_it_is_and_flat() -> None:
    found = target(Net(lambda scores: scores.view(-1, 3, 1, 1)), "image-embedding")
    assert found.outputs[0].name == "embedding"
    assert found.outputs[0].shape == ("batch", 3)
    assert (answer(found) < 0).any()


def test_one_value_for_each_image_is_no_classification() -> None:
    with pytest.raises(UsageError, match=r"softmax of one value is always 1.*image-regression"):
        target(Net(outputs=1))
    assert target(Net(outputs=1), "image-embedding").outputs[0].shape == ("batch", 1)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (lambda scores: scores[..., None], r"answers \[batch, size\] for a batch of images; this one \[2, 3, 1\]"),
        (lambda _: "cat", "the module answers str, not a tensor"),
        (lambda _: {}, "the module answers dict, not a tensor"),
        (lambda scores: scores * float("nan"), "NaN or infinity"),
    ],
)
def test_what_is_no_classifiers_answer_is_named(shape: Callable[[Tensor], Any], message: str) -> None:
    with pytest.raises(GateError, match=message):
        target(Net(shape))


def test_other_names_of_sides_than_an_images_are_refused() -> None:
    facts = DeploymentFacts(task="image-classification", preprocess=STEPS)
    with pytest.raises(UsageError, match="--dynamic length: images have the sides height and width"):
        target_for(Net(), facts, dynamic=("length",))
    dynamic = target_for(Net(), facts, dynamic=("height", "width"))
    assert dynamic.inputs[0].shape == ("batch", "height", "width", 3)
    assert dynamic.noise(np.random.default_rng(0), 2)[0].shape == (2, 72, 136, 3)


def test_a_module_in_training_mode_is_refused() -> None:
    found = target(Net())
    found.module.train()
    with pytest.raises(GateError, match="training mode"):
        answer(found)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_lower_precision_is_inside_only_and_leaves_the_module_alone(precision: Any) -> None:
    module = Net()
    found = target(module)
    lower = in_precision(found.module, precision)
    assert {weight.dtype for weight in lower.module.parameters()} != {torch.float32}  # type: ignore[union-attr]
    assert {weight.dtype for weight in module.parameters()} == {torch.float32}
    assert not any(part.training for part in lower.modules())
    got = answers(lower, found.example)[0]
    assert got.dtype == np.float32
    assert 0 < np.abs(got - answer(found)).max() < 0.05
    assert in_precision(found.module, "fp32") is found.module
