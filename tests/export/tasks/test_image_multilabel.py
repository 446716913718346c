"""lit_export.tasks.image_multilabel: a probability for each label, found out; F1, mAP and thresholds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lit_export.tasks import TASKS, answers, doubts
from lit_infer.errors import UsageError
from lit_infer.manifest import CenterCrop, DeploymentFacts, Resize, Step
from lit_infer.tasks import TASKS as RUNTIME
from tests.support.targets import target_for

STEPS = (Step(resize=Resize(size=10)), Step(center_crop=CenterCrop(size=8)))
TASK = TASKS["image-multilabel"]
READING = RUNTIME["image-multilabel"].reading(labels=None, answers={}, size=3)


class Net(nn.Module):
    """Three numbers from an image."""

    def __init__(self, ending: Callable[[Tensor], Any], scale: float = 5.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.ending, self.scale = nn.Linear(3, 3), ending, scale

    def logits(self, images: Tensor) -> Tensor:
        return self.body(images.mean((2, 3))) * self.scale

    def forward(self, images: Tensor) -> Any:
        return self.ending(self.logits(images))


def facts(task: str = "image-multilabel", **answers: Any) -> DeploymentFacts:
    return DeploymentFacts(task=task, preprocess=STEPS, answers=answers)


def answered(module: Net, **stated: Any) -> tuple[np.ndarray, np.ndarray]:
    """What the target answers, and the sigmoid of the module's logits."""
    found = target_for(module.eval(), facts(**stated))
    pixels = torch.from_numpy(found.example[0]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        return answers(found.module, found.example)[0], torch.sigmoid(module.logits(pixels)).numpy()


@pytest.mark.parametrize(
    "ending",
    [
        lambda logits: logits,
        torch.sigmoid,
        lambda logits: torch.sigmoid(logits[..., None]).squeeze(-1),
        lambda logits: {"logits": logits, "loss": logits.sum()},
        lambda logits: (torch.sigmoid(logits), logits),
    ],
    ids=["logits", "probabilities", "a view of probabilities", "dict", "tuple"],
)
def test_logits_get_a_sigmoid_and_probabilities_none(ending: Callable[[Tensor], Any]) -> None:
    np.testing.assert_allclose(*answered(Net(ending)), atol=1e-6)


def test_values_within_0_and_1_that_come_from_no_sigmoid_could_be_either_and_are_asked_about() -> None:
    def squashed(logits: Tensor) -> Tensor:
        return (torch.tanh(logits) + 1) / 2

    with pytest.raises(UsageError, match=r"may be probabilities or small logits\. Say which in --spec: answers: "):
        answered(Net(squashed))
    as_they_are, _ = answered(Net(squashed), scores="probabilities")
    through_a_sigmoid, _ = answered(Net(squashed), scores="logits")
    np.testing.assert_allclose(1 / (1 + np.exp(-as_they_are)), through_a_sigmoid, atol=1e-6)


def test_what_is_stated_and_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="scores are declared probabilities, but the module answers from -"):
        answered(Net(lambda logits: logits * 10 - 5), scores="probabilities")


def test_a_label_of_its_own_each_is_no_classification_and_that_is_said() -> None:
    found = target_for(Net(torch.sigmoid).eval(), facts("image-classification"))
    assert "task image-multilabel" in found.warnings[0]
    other = target_for(Net(lambda logits: logits.softmax(-1)).eval(), facts())
    assert "task image-classification" in other.warnings[0]


def test_losses_and_metrics_in_the_module_speak_for_their_task() -> None:
    module = nn.Sequential(nn.Linear(3, 3))
    module.loss = nn.BCEWithLogitsLoss()
    assert doubts(module, "image-classification") == [
        "the module holds BCEWithLogitsLoss: it looks like task image-multilabel, and is exported as "
        "image-classification"
    ]
    assert doubts(module, "image-multilabel") == []
    assert doubts(module, "image-embedding") == []
    module.other = nn.CrossEntropyLoss()
    assert doubts(module, "image-classification") == [], "both are there: nothing is certain"


def scored(rows: list[list[float]], truths: list[list[float]]) -> dict[str, float]:
    assert TASK.score is not None
    return TASK.score.values(np.array(rows, dtype=np.float32), truths, READING)


def test_f1_and_map_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    rows = generator.random((200, 3)).round(2).astype(np.float32)
    truths = generator.random((200, 3)) < rows

    found = scored(rows.tolist(), truths.tolist())

    assert found["macro F1"] == pytest.approx(metrics.f1_score(truths, rows >= 0.5, average="macro"))
    assert found["mAP"] == pytest.approx(metrics.average_precision_score(truths, rows, average="macro"))


def test_a_label_that_nobody_has_and_nobody_is_given_does_not_count() -> None:
    assert scored([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1]], [[1, 0, 0], [0, 1, 0]]) == {"macro F1": 1.0, "mAP": 1.0}
    assert scored([[0.9, 0.1, 0.9], [0.1, 0.9, 0.1]], [[1, 0, 0], [0, 1, 0]])["macro F1"] == pytest.approx(2 / 3)


@settings(max_examples=50)
@given(st.integers(0, 10_000))
def test_no_other_threshold_has_a_better_f1(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rows = generator.random((12, 1)).round(1).astype(np.float32)
    truths = generator.integers(0, 2, (12, 1))
    assert TASK.tuned is not None

    (threshold,) = TASK.tuned(rows, truths.tolist(), READING).answers["thresholds"]

    def f1(at: float) -> float:
        reading = RUNTIME["image-multilabel"].reading(labels=None, answers={"thresholds": at}, size=1)
        assert TASK.score is not None
        return TASK.score.values(rows, truths.tolist(), reading)["macro F1"]

    assert f1(threshold) >= max(f1(other) for other in np.linspace(0, 1, 101).tolist()) - 1e-9


def test_a_label_that_no_image_has_keeps_the_usual_threshold_and_that_is_said() -> None:
    assert TASK.tuned is not None
    found = TASK.tuned(np.array([[0.2, 0.1], [0.4, 0.2]], dtype=np.float32), [[0, 0], [1, 0]], READING)
    assert found.answers["thresholds"] == [pytest.approx(0.3), 0.5]
    assert found.warnings == ("no image has the label 1: its threshold stays 0.5",)


@pytest.mark.parametrize("other", [-1, 2, 0.5])
def test_what_is_neither_there_nor_not_there_is_refused(other: float) -> None:
    with pytest.raises(UsageError, match="labels are 0 or 1, and the labelled data has"):
        scored([[0.9, 0.1, 0.1]], [[1, 0, other]])


def test_log_probabilities_are_noticed() -> None:
    found = target_for(Net(nn.functional.logsigmoid).eval(), facts())
    assert "log-probabilities" in found.warnings[0]
