"""Task `token-classification`: probabilities of each token's labels, and how many spans are found as they are known."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_export.labelled_spans import Spans, spans
from lit_export.tasks.spec import ExportTask, Scoring
from lit_export.tasks.texts import TextModule, text_target
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import Reading
from lit_infer.tasks.token_classification import TASK as RUNTIME
from lit_infer.tasks.token_classification import TextSpans


class TokenClassifier(TextModule):
    """Probabilities float32 [batch, tokens, labels]; logits are converted."""

    output = "probabilities"
    sides = (3,)
    answers_probabilities = False

    def forward(self, *inputs: Tensor) -> Tensor:
        """A softmax, unless the module ends in one of its own."""
        scores = self.scores(*inputs)
        return scores if self.answers_probabilities else torch.softmax(scores, dim=-1)

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """Whether the scores are probabilities already, and what labels there are."""
        within = bool(((scores >= 0) & (scores <= 1 + 1e-5)).all())
        self.answers_probabilities = within and bool(((scores.sum(-1) - 1).abs() < 1e-4).all())
        if facts.fields is not None and facts.fields.text is not None and facts.fields.text.pair is not None:
            raise UsageError("a pair of texts has no characters that spans could be in: leave fields.text.pair out")
        if scores.shape[-1] < 2:
            raise UsageError("the module answers one value for each token, and a token needs the scores of two labels")
        said = [] if facts.labels is not None else ["labels are not known, so that spans are called by their numbers"]
        if within and not self.answers_probabilities:
            said.append("the module answers values from 0 to 1 that do not sum to 1, and a softmax is applied to them")
        return said

    def check(self, answer: NDArray[Any]) -> None:
        """Its sides were checked."""

    def shape(self, batch: int | str, length: int | str, answer: NDArray[Any]) -> tuple[int | str, ...]:
        """Labels of each token. Raises UsageError for a module that answers for other tokens than it gets."""
        return batch, length, answer.shape[-1]


def counted(answer: TextSpans, truth: Spans, _: Reading) -> NDArray[np.int64]:
    """int64 [1, 3]: spans that were found as they are known, found at all, and known. A span is right in all of it."""
    found = {(one.label, one.start, one.end) for one in answer.spans}
    return np.array([[len(found & truth), len(found), len(truth)]], dtype=np.int64)


def _values(counts: NDArray[Any], _: Sequence[Any], __: Reading) -> dict[str, float]:
    """Over the spans of all texts."""
    right, found, known = counts.sum(0).tolist()
    return {
        "span F1": 2 * right / (found + known) if found + known else 1.0,
        "precision": right / found if found else 1.0,
        "recall": right / known if known else 1.0,
    }


TASK = ExportTask(
    name=RUNTIME.name,
    target=partial(text_target, wrapper=TokenClassifier),
    score=Scoring(labelled=spans, condensed=lambda rows: rows, values=_values, counted=counted),
)
