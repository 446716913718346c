"""Task `image-classification`: probabilities, and the share of images whose best class is right."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_export import labelled
from lit_export.chosen import Role
from lit_export.tasks.images import ImageModule, image_target
from lit_export.tasks.spec import ExportTask, Scoring
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import Reading, image_multilabel, image_regression
from lit_infer.tasks.image_classification import TASK as RUNTIME


class Classifier(ImageModule):
    """Probabilities float32 [batch, classes], each row summing to 1; logits and log-probabilities are converted."""

    output = "probabilities"
    answers_probabilities = False

    def forward(self, images: Tensor) -> Tensor:
        """A softmax, unless the module ends in one of its own: a second one would flatten its answers."""
        scores = self.scores(images)
        return scores if self.answers_probabilities else torch.softmax(scores, dim=-1)

    @property
    def form(self) -> Sequence[str]:
        """What made them probabilities."""
        return ("probabilities" if self.answers_probabilities else "softmax",)

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """Whether the scores are probabilities already."""
        stated = facts.answers.get("scores")
        are_shares = scores.ndim == 2 and bool(((scores >= 0) & (scores <= 1 + 1e-5)).all())
        sum_to_one = are_shares and bool(((scores.sum(-1) - 1).abs() < 1e-5).all())
        if stated == "probabilities" and not sum_to_one:
            raise UsageError(
                f"answers: scores are declared probabilities, but the module answers from {float(scores.min()):.3g} "
                f"to {float(scores.max()):.3g}, which do not sum to 1"
            )
        self.answers_probabilities = sum_to_one and stated != "logits"
        if not are_shares or sum_to_one or stated is not None:
            return ()
        return (
            "the module answers values from 0 to 1 that do not sum to 1, and a softmax is applied to them. If each is "
            f"a label's own probability, this is task {image_multilabel.TASK.name}",
        )

    def check(self, answer: NDArray[Any]) -> None:
        """Rows of at least two classes."""
        if answer.ndim == 1 or answer.shape[1:] == (1,):
            raise UsageError(
                "the module answers one value for each image, and the softmax of one value is always 1. "
                f"Export it as task {image_regression.TASK.name}, which gives the value unchanged"
            )
        super().check(answer)


def best(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """The index of the best class of each row."""
    found: NDArray[np.int64] = rows.argmax(-1)
    return found


def _accuracy(found: NDArray[Any], truths: Sequence[Any], _: Reading) -> dict[str, float]:
    return {"accuracy": float((found == np.asarray(truths)).mean())}


SCORES = Role(
    "scores",
    {"logits": {"scores": "logits"}, "softmax": {"scores": "logits"}, "probabilities": {"scores": "probabilities"}},
    {"logits": "logits", "probabilities": "probabilities"},
)

TASK = ExportTask(
    name=RUNTIME.name,
    roles=(SCORES,),
    target=partial(image_target, wrapper=Classifier),
    score=Scoring(labelled=labelled.classes, condensed=best, values=_accuracy),
    marks=("CrossEntropyLoss", "NLLLoss", "Multiclass", "MultiClass"),
)
