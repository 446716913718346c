"""Task `image-multilabel`: a probability for each label, macro F1 and mAP, and the thresholds with the best F1."""

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
from lit_export.tasks.spec import ExportTask, Scoring, TunedFacts
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import Reading, image_classification
from lit_infer.tasks.image_multilabel import TASK as RUNTIME
from lit_infer.tasks.image_multilabel import USUAL, above


class Multilabel(ImageModule):
    """Probabilities float32 [batch, labels], each independent; logits are converted."""

    output = "probabilities"
    answers_probabilities = False

    def forward(self, images: Tensor) -> Tensor:
        """A sigmoid for each label, unless the module ends in one of its own."""
        scores = self.scores(images)
        return scores if self.answers_probabilities else torch.sigmoid(scores)

    @property
    def form(self) -> Sequence[str]:
        """What made them probabilities."""
        return ("probabilities" if self.answers_probabilities else "sigmoid",)

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """Whether the scores are probabilities already: values within 0 and 1 that come from a sigmoid are."""
        stated = facts.answers.get("scores")
        within = bool(((scores >= 0) & (scores <= 1)).all())
        if stated == "probabilities" and not within:
            raise UsageError(
                f"answers: scores are declared probabilities, but the module answers from {float(scores.min()):.3g} "
                f"to {float(scores.max()):.3g}"
            )
        if stated is None and within and not self.ends_in_sigmoid:
            raise UsageError(
                "the module answers values from 0 to 1 that do not come from a sigmoid: they may be probabilities or "
                "small logits. Say which in --spec: answers: {scores: probabilities} or answers: {scores: logits}"
            )
        self.answers_probabilities = stated == "probabilities" or (stated is None and within)
        if scores.ndim == 2 and scores.shape[1] > 1 and bool(((scores.sum(-1) - 1).abs() < 1e-5).all()) and within:
            other = image_classification.TASK.name
            return (f"the module's answers sum to 1 for each image: this looks like task {other}",)
        if stated is None and bool((scores <= 0).all()):
            return ("the module answers nothing above 0: if these are log-probabilities, no label will reach a half",)
        return ()


def _values(rows: NDArray[Any], truths: Sequence[Any], reading: Reading) -> dict[str, float]:
    """Macro F1 at the thresholds, and the mean average precision, over the labels that were present or predicted."""
    truth = _truth(truths)
    predicted = above(rows, reading)
    counted = np.flatnonzero(predicted.any(0) | truth.any(0))
    scores = [_f1(predicted[:, label], truth[:, label]) for label in counted]
    precisions = [_average_precision(rows[:, label], truth[:, label]) for label in np.flatnonzero(truth.any(0))]
    return {
        "macro F1": float(np.mean(scores)) if scores else 0.0,
        "mAP": float(np.mean(precisions)) if precisions else 0.0,
    }


def _truth(truths: Sequence[Any]) -> NDArray[np.bool_]:
    """Whether each label is there. Anything but 0 and 1, such as -1 for "not known", has no place in a score."""
    found = np.asarray(truths, dtype=np.float64)
    if not np.isin(found, (0, 1)).all():
        wrong = found[~np.isin(found, (0, 1))][0]
        raise UsageError(f"labels are 0 or 1, and the labelled data has {wrong:g}: leave such images out")
    return found.astype(bool)


def _f1(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    total = int(predicted.sum() + truth.sum())
    return 2 * int((predicted & truth).sum()) / total if total else 0.0


def _average_precision(scores: NDArray[Any], truth: NDArray[np.bool_]) -> float:
    """The area under precision over recall, in steps; images of one score count together."""
    order = np.argsort(-scores, kind="stable")
    right, ends = np.cumsum(truth[order]), np.flatnonzero(np.diff(scores[order], append=np.nan))
    precision, recall = right[ends] / (ends + 1), right[ends] / right[-1]
    return float((np.diff(recall, prepend=0) * precision).sum())


def tuned(rows: NDArray[np.float32], truths: Sequence[Any], reading: Reading) -> TunedFacts:
    """For each label the threshold with the best F1, halfway between two scores; the default if images do not tell."""
    truth = _truth(truths)
    thresholds = tuple(_best_threshold(rows[:, label], truth[:, label]) for label in range(truth.shape[1]))
    names = reading.labels or tuple(map(str, range(truth.shape[1])))
    unseen = [names[label] for label in np.flatnonzero(~truth.any(0))]
    warnings = (f"no image has the label {', '.join(unseen[:5])}: its threshold stays {USUAL}",) if unseen else ()
    return TunedFacts(answers={"thresholds": list(thresholds)}, warnings=warnings)


def _best_threshold(scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    if not truth.any():
        return USUAL
    levels = np.unique(scores)
    between = (levels[1:].astype(np.float64) + levels[:-1]) / 2
    candidates = [USUAL, *between.tolist(), float(levels[0]) / 2]
    # The best; of equals the nearest to the usual one.
    best = max(candidates, key=lambda one: (_f1(scores >= np.float32(one), truth), -abs(one - USUAL)))
    return float(best)


SCORES = Role(
    "scores",
    {"logits": {"scores": "logits"}, "sigmoid": {"scores": "logits"}, "probabilities": {"scores": "probabilities"}},
    {"logits": "logits", "probabilities": "probabilities"},
)

TASK = ExportTask(
    name=RUNTIME.name,
    roles=(SCORES,),
    target=partial(image_target, wrapper=Multilabel),
    score=Scoring(labelled=labelled.values, condensed=lambda rows: rows, values=_values),
    marks=("BCEWithLogitsLoss", "BCELoss", "MultiLabel", "Multilabel"),
    tuned=tuned,
)
