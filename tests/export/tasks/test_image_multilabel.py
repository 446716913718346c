"""Probabilities that are found out, scores that are known by hand, thresholds with the best F1."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export.tasks import TASKS, answers
from lit_export.tasks.image_multilabel import tuned
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts, Resize, Step
from lit_infer.tasks import TASKS as RUNTIME
from lit_infer.tasks import Reading
from tests.support.targets import target_for

NAME = "image-multilabel"
SCORE = TASKS[NAME].score


class Scoring(nn.Module):
    """The mean of each channel, and what is made of it."""

    def __init__(self, end: nn.Module) -> None:
        super().__init__()
        self.end = end

    def forward(self, images: Tensor) -> Tensor:
        return self.end(images.mean((2, 3)))


class Apart(nn.Module):
    """Below and above 0, as logits are."""

    def forward(self, means: Tensor) -> Tensor:
        return (means - 0.5) * 8


def target(end: nn.Module, **facts: Any) -> Any:
    described = DeploymentFacts(task=NAME, preprocess=(Step(resize=Resize(size=(4, 4))),), answers=facts)
    return target_for(Scoring(end).eval(), described)


def reading(count: int, **facts: Any) -> Reading:
    return RUNTIME[NAME].reading(labels=tuple("abcdefgh"[:count]), answers=facts, size=count)


@pytest.mark.parametrize("end", [Apart(), nn.Sequential(Apart(), nn.Sigmoid())], ids=["logits", "probabilities"])
def test_logits_and_probabilities_give_the_same_probabilities(end: nn.Module) -> None:
    images = np.full((1, 4, 4, 3), [0, 128, 255], dtype=np.uint8)

    (found,) = answers(target(end).module, (images,))

    logits = (torch.tensor([0, 128, 255]) / 255 - 0.5) * 8
    np.testing.assert_allclose(found[0], torch.sigmoid(logits).numpy(), rtol=1e-5)


def test_small_values_that_come_from_no_sigmoid_must_be_said_to_be_one_or_the_other() -> None:
    with pytest.raises(UsageError, match=r"Say which in --spec: answers: \{scores: probabilities\} or"):
        target(nn.Identity())
    assert target(nn.Identity(), scores="logits").module.answers_probabilities is False
    assert target(nn.Identity(), scores="probabilities").module.answers_probabilities is True
    with pytest.raises(UsageError, match="are said to be probabilities, and the module answers from"):
        target(Apart(), scores="probabilities")


def test_answers_that_sum_to_one_look_like_classes() -> None:
    found = target(nn.Softmax(-1), scores="probabilities")

    assert [line for line in found.warnings if "looks like task image-classification" in line]


def scored(rows: Any, truths: Any, **facts: Any) -> dict[str, float]:
    assert SCORE is not None
    rows = np.array(rows, dtype=np.float32)
    return SCORE.values(SCORE.condensed(rows), list(np.array(truths)), reading(rows.shape[1], **facts))


def test_f1_and_average_precision_are_those_of_the_book() -> None:
    found = scored([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], [[1, 0], [0, 0], [1, 1], [0, 0]])

    # label a: said 3, right 1 of 2 -> 2/5; ranks 1 and 4 -> (1 + 2/4) / 2. Label b: all right.
    assert found == pytest.approx({"macro F1": (0.4 + 1) / 2, "mAP": (0.75 + 1) / 2})


def test_images_of_one_score_count_together_and_a_label_nobody_has_is_left_out() -> None:
    assert scored([[0.9, 0.1]] * 4, [[1, 0], [0, 0], [0, 0], [1, 0]])["mAP"] == pytest.approx(0.5)
    assert scored([[0.1]], [[0]]) == {"macro F1": 0.0, "mAP": 0.0}


truths = arrays.arrays(np.int64, (12, 2), elements=st.integers(0, 1))
scores = arrays.arrays(np.float32, (12, 2), elements=st.floats(0, 1, width=32))


@given(rows=scores, truth=truths)
@settings(deadline=None, max_examples=60)
def test_the_thresholds_that_are_found_are_never_worse_than_the_usual_ones(
    rows: NDArray[np.float32], truth: NDArray[np.int64]
) -> None:
    found = tuned(rows, list(truth), reading(2))

    thresholds = found.answers["thresholds"]
    assert all(0 <= one <= 1 for one in thresholds)
    for label in np.flatnonzero(truth.any(0)):
        one, other = (
            scored(rows[:, [label]], truth[:, [label]], thresholds=threshold)["macro F1"]
            for threshold in (thresholds[label], 0.5)
        )
        assert one >= other - 1e-6 or abs(thresholds[label] - rows[:, label]).min() < 1e-6  # it is rounded


def test_a_label_without_an_image_keeps_its_threshold_and_is_named() -> None:
    found = tuned(np.array([[0.9, 0.9]], dtype=np.float32), [[1, 0]], reading(2))

    assert found.answers["thresholds"][1] == 0.5
    assert found.warnings == ("no image has the label b: its threshold stays 0.5",)
