"""Task `image-multilabel`: any number of labels for each image, each with its own probability."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.tasks.choices import Choice, batch_choices, most_common, pairs, plain
from lit_infer.tasks.spec import Agreement, Ask, Metric, Outputs, Reading, Row, Shown, TaskSpec

USUAL = 0.5


class MultilabelFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The probability from which a label counts as one of the image's."""

    thresholds: float | tuple[float, ...] = USUAL
    """One for all labels, or one for each, in their order."""
    scores: str | None = None
    """What the module answers, if export cannot find it out: "logits" or "probabilities"."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Raise ValueError for thresholds that do not fit the labels."""
        given = self.thresholds if isinstance(self.thresholds, tuple) else (self.thresholds,)
        if not all(0 <= threshold <= 1 for threshold in given):
            raise ValueError(f"thresholds must be from 0 to 1, not {', '.join(f'{one:g}' for one in given)}")
        count = len(labels) if labels is not None else size
        if isinstance(self.thresholds, tuple) and count is not None and len(given) != count:
            raise ValueError(f"{len(given)} thresholds for {count} labels")
        if self.scores not in (None, "logits", "probabilities"):
            raise ValueError(f'scores must be "logits" or "probabilities", not {self.scores!r}')


class Labels(msgspec.Struct, frozen=True, gc=False):
    """The labels whose probability reaches their threshold, and the most probable ones in any case."""

    labels: tuple[Choice, ...]
    """Most probable first."""
    top: tuple[Choice, ...]
    """The `top_k` most probable."""


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[Labels]:
    """Probabilities [batch, labels] as labels."""
    rows = outputs[0]
    ordered = batch_choices(rows, labels=reading.labels, top_k=rows.shape[1])
    found = []
    for row, choices, ask in zip(rows, ordered, asks, strict=True):
        is_above = above(row[None], reading, ask.threshold)[0]
        found.append(Labels(tuple(one for one in choices if is_above[one.index]), choices[: ask.top_k]))
    return found


def above(rows: NDArray[np.floating], reading: Reading, threshold: float | None = None) -> NDArray[np.bool_]:
    """For each probability, whether it reaches its threshold: the requested one, else that of the facts."""
    wanted = reading.facts.thresholds if threshold is None else threshold
    # In float32, as the probabilities are: 0.3 must not be missed because of rounding.
    found: NDArray[np.bool_] = rows.astype(np.float32) >= np.asarray(wanted, dtype=np.float32)
    return found


def row(answer: Labels) -> Row:
    """An answer as columns."""
    return {"labels": plain(answer.labels), "top": plain(answer.top)}


def show(line: Row) -> Shown:
    """A row as it is displayed."""
    labels, top = pairs(line["labels"]), pairs(line["top"])
    names = tuple(name for name, _ in labels)
    first = (labels or top)[:1]
    others = tuple(pair for pair in top if pair[0] not in names)
    return Shown(
        ", ".join(names),
        first[0][1] if first else None,
        (*labels, *others),
        in_title=len(labels),
        groups=names or ("",),
    )


class LabelTally:
    """Counts the images with each label, and those without any."""

    def __init__(self, reading: Reading) -> None:
        del reading
        self.labels: Counter[str] = Counter()
        self.unlabelled = 0

    def add(self, line: Row, truths: Mapping[str, str | None]) -> None:
        """Count a row. Folders' names say nothing about several labels."""
        del truths
        self.labels.update(choice["label"] for choice in line["labels"])
        self.unlabelled += not line["labels"]

    def lines(self) -> list[str]:
        """Labels, and images without any."""
        lines = [f"labels: {most_common(self.labels)}"] if self.labels else []
        return [*lines, f"without a label: {self.unlabelled}"] if self.unlabelled else lines

    def verdict(self) -> str:
        """Nothing is known."""
        return ""


def same_labels(one: NDArray[np.floating], other: NDArray[np.floating], reading: Reading) -> NDArray[np.bool_]:
    """For each row, whether all the labels are the same."""
    same: NDArray[np.bool_] = (above(one, reading) == above(other, reading)).all(-1)
    return same


TASK = TaskSpec(
    name="image-multilabel",
    does="gives images any number of labels",
    kind="labels",
    facts=MultilabelFacts,
    answer=Labels,
    read=read,
    columns=lambda _: {"labels": "choices", "top": "choices"},
    row=row,
    show=show,
    headings=("labels", "score", "next"),
    tally=LabelTally,
    agreement=Agreement("same labels", same_labels),
    metric=Metric("macro F1", better="max"),
    takes_top_k=True,
    takes_threshold=True,
    nouns=("label", "labels"),
    pipeline_tag="image-classification",
    cautions=("An image may get no label at all; which it gets depends on the thresholds.",),
)
