"""Tasks `tabular-classification` and `tabular-regression`: as those on images, of the rows of a table."""

from dataclasses import replace
from typing import Literal

import msgspec

from lit_infer.tasks import image_classification, image_regression


class OneScoreFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a module answers that has one score for each row, for the second of two classes."""

    scores: Literal["logits", "probabilities"] | None = None
    """None: what export finds out."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Nothing can be wrong."""


CLASSIFICATION = replace(
    image_classification.TASK,
    name="tabular-classification",
    does="classifies rows of a table",
    takes_images=False,
    has_columns=True,
    facts=OneScoreFacts,
    sorts_by=None,
    metric=None,  # labelled rows are not scored yet
    pipeline_tag="tabular-classification",
    cautions=("It answers with one of its classes for every row, also for one unlike those it was trained on.",),
)

REGRESSION = replace(
    image_regression.TASK,
    name="tabular-regression",
    does="estimates numbers from rows of a table",
    takes_images=False,
    has_columns=True,
    metric=None,
    pipeline_tag="tabular-regression",
    cautions=("It answers with numbers for every row, also for one unlike those it was trained on.",),
)
