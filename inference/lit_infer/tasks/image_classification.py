"""Task `image-classification`: one of several classes, as probabilities that sum to 1."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.column_values import ChoicesColumn, ColumnValues, DictionaryColumn
from lit_infer.tasks.choices import Choice, batch_choices, best, most_common, pairs, plain
from lit_infer.tasks.spec import Agreement, Ask, Known, Metric, Outputs, Reading, Row, Shown, Sources, TaskSpec

# Sources of an image's true class, the most reliable first.
TRUTHS = {"cls": "the .cls members have the labels", "folder": "the folders' names are the labels"}


class ClassFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the module's scores are."""

    scores: Literal["logits", "probabilities"] | None = None
    """None: what export finds out."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Nothing can be wrong beyond the types."""


class Classes(msgspec.Struct, frozen=True, gc=False):
    """The best class, and the runners-up."""

    label: str | None
    """None if the best class's score is below the requested threshold."""
    index: int | None
    score: float
    """Probability of the best class, 0 to 1."""
    top: tuple[Choice, ...]
    """The `top_k` best classes, best first."""


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[Classes]:
    """Probabilities [batch, classes] as classes."""
    wanted = {ask.top_k for ask in asks}
    found = batch_choices(outputs[0], labels=reading.labels, top_k=max(wanted, default=1))
    if len(wanted) > 1:
        found = [top[: ask.top_k] for top, ask in zip(found, asks, strict=True)]
    return [_classes(top, ask.threshold) for top, ask in zip(found, asks, strict=True)]


def kept(outputs: Outputs, ask: Ask, reading: Reading) -> dict[str, NDArray[Any]]:
    """The best classes of each row, and their scores."""
    del reading
    indices, scores = best(outputs[0], ask.top_k)
    return {"indices": indices.astype(np.int32), "scores": scores}


def values(arrays: Mapping[str, Any], ask: Ask, reading: Reading) -> dict[str, ColumnValues]:
    """Those as columns."""
    top = ChoicesColumn(arrays["indices"], arrays["scores"], reading.labels)
    index, score = top.indices[:, 0], top.scores[:, 0]
    classes = range(int(index.max(initial=-1)) + 1)
    if ask.threshold is not None:
        index = np.where(score.astype(np.float64) < ask.threshold, len(classes), index)
    return {
        "label": DictionaryColumn(index, [*map(top.label, classes), None]),
        "index": DictionaryColumn(index, [*classes, None]),
        "score": score,
        "top": top,
    }


def _classes(top: tuple[Choice, ...], threshold: float | None) -> Classes:
    best = top[0]
    if threshold is not None and best.score < threshold:
        return Classes(None, None, best.score, top)
    return Classes(best.label, best.index, best.score, top)


def row(answer: Classes) -> Row:
    """An answer as columns."""
    return {"label": answer.label, "index": answer.index, "score": answer.score, "top": plain(answer.top)}


def show(line: Row) -> Shown:
    """A row as it is displayed."""
    label = line["label"]
    return Shown(label or "", line["score"], pairs(line["top"]), in_title=1, groups=(label or "",))


class ClassTally:
    """Counts classes; and, where the true class of every image is known, how many are right."""

    def __init__(self, reading: Reading) -> None:
        self.labels: Counter[str] = Counter()
        self.unlabelled = 0
        """Images below the threshold."""
        self._count = 0
        self._classes = tuple(reading.labels or ())
        self._right: dict[str, int | None] = dict.fromkeys(TRUTHS, 0 if self._classes else None)

    @property
    def accuracy(self) -> tuple[int, int, str] | None:
        """(right, all, the source of the true classes); None if the class of any image is not known."""
        known = [(source, right) for source, right in self._right.items() if self._count and right is not None]
        return (known[0][1], self._count, TRUTHS[known[0][0]]) if known else None

    def add(self, line: Row, truths: Sources) -> None:
        """Count a row; `truths` are a class's index or label, or the name of the image's folder."""
        self._count += 1
        if line["label"] is None:
            self.unlabelled += 1
        else:
            self.labels[line["label"]] += 1
        for source, truth in true_classes(truths, self._classes).items():
            self._compare(line, source, truth)

    def add_columns(self, columns: Mapping[str, ColumnValues], answered: NDArray[np.bool_]) -> None:
        """Count rows, whose true classes nobody knows."""
        labels = cast(DictionaryColumn, columns["label"])
        found, first, counts = np.unique(labels.indices[answered], return_index=True, return_counts=True)
        for place in np.argsort(first):  # among equally many, the first that came is named first
            label, count = labels.values[found[place]], int(counts[place])
            if label is None:
                self.unlabelled += count
            else:
                self.labels[label] += count
        self._right = dict.fromkeys(TRUTHS)

    def _compare(self, line: Row, source: str, truth: str | None) -> None:
        right = self._right[source]
        # If the class of one image is not known, nothing can be said about all.
        self._right[source] = None if right is None or truth is None else right + (line["label"] == truth)

    def lines(self) -> list[str]:
        """Classes, and those below the threshold."""
        lines = [f"classes: {most_common(self.labels)}"] if self.labels else []
        if self.unlabelled:
            lines.append(f"below the threshold: {self.unlabelled}")
        return lines

    def verdict(self) -> str:
        """The accuracy."""
        if not self.accuracy:
            return ""
        right, total, source = self.accuracy
        return f"accuracy {right / total:.4f} ({right} of {total}; {source})"


def true_classes(truths: Sources, labels: Sequence[str]) -> Sources:
    """The classes that the sources mean, the most reliable first."""
    folder = truths.get("folder")
    return {"cls": meant(truths.get("cls"), labels), "folder": folder if folder in labels else None}


def meant(truth: str | None, labels: Sequence[str]) -> str | None:
    """The label that a `.cls` means: a label itself or its index; None for neither, or if it could be either."""
    if truth is None:
        return None
    by_index = labels[int(truth)] if re.fullmatch(r"[0-9]{1,9}", truth) and int(truth) < len(labels) else None
    by_name = truth if truth in labels else None
    return by_index or by_name if None in (by_index, by_name) or by_index == by_name else None


def same_class(one: NDArray[np.floating], other: NDArray[np.floating], _: Reading) -> NDArray[np.bool_]:
    """For each row [classes], whether the best class is the same."""
    same: NDArray[np.bool_] = one.argmax(-1) == other.argmax(-1)
    return same


TASK = TaskSpec(
    name="image-classification",
    does="classifies images",
    kind="classes",
    facts=ClassFacts,
    answer=Classes,
    read=read,
    columns=lambda _: {"label": "text", "index": "integer", "score": "number", "top": "choices"},
    row=row,
    kept=kept,
    values=values,
    show=show,
    headings=("label", "score", "next"),
    tally=ClassTally,
    known=Known(
        truths=lambda _, truths, reading: true_classes(truths, reading.labels or ()),
        names=lambda reading: reading.labels or (),
    ),
    agreement=Agreement("top-1 agreement", same_class),
    metric=Metric("accuracy", better="max"),
    takes_top_k=True,
    takes_threshold=True,
    sorts_by="label",
    pipeline_tag="image-classification",
    cautions=("It answers with one of its classes for every image, also for one that shows none of them.",),
)
