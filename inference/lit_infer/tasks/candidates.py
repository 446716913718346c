"""Which of a graph's candidates are answers: boxes that score enough, and of those that say the same the best one.

A graph answers one of two forms, each for a batch:
- candidates before their post-processing: `scores` [n, classes] and `boxes` [n, 4];
- what was found, padded to a fixed number: `scores` [n], `boxes` [n, 4], `labels` [n], and how many are there, `count`.
Further outputs, such as masks, have a row for each box.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lit_infer.images import boxes as geometry
from lit_infer.tasks.spec import Outputs, Reading

FOUND = ("scores", "boxes", "labels", "count")
"""The outputs of the second form, in their order."""


class Chosen(NamedTuple):
    """Of one image the answers, the best first."""

    scores: NDArray[np.float32]
    """[k]."""
    labels: NDArray[np.intp]
    """[k]."""
    boxes: NDArray[np.float32]
    """[k, 4], in pixels of the prepared image."""
    rows: NDArray[np.intp]
    """[k]: which candidates they are."""

    def only(self, which: Any) -> "Chosen":
        """Some of them, by a mask or indices."""
        return Chosen(*(part[which] for part in self))


def chosen(row: Outputs, reading: Reading, *, threshold: float | None = None) -> Chosen:
    """Of one image's row of each output the answers. `threshold`: the least score; None: as the facts say.

    Each candidate is of its best class, or of each that scores enough. What scores too little is dropped,
    then what says the same as a better one.
    """
    facts, scores = reading.facts, row[0]
    least = np.float32(facts.threshold if threshold is None else threshold)
    if scores.ndim == 1:
        rows = np.flatnonzero((scores >= least) & (np.arange(len(scores)) < row[3]))
        best, labels = scores[rows], row[2][rows].astype(np.intp)
    elif facts.per_class:
        rows, labels = np.nonzero(scores >= least)
        best = scores[rows, labels]
    else:
        rows = np.flatnonzero(scores.max(-1) >= least)
        labels = scores[rows].argmax(-1)
        best = scores[rows, labels]
    order = np.argsort(-best, kind="stable")
    rows = rows[order]
    found = Chosen(best[order].astype(np.float32), labels[order], row[1][rows].astype(np.float32), rows)
    if facts.overlap is not None:
        found = found.only(geometry.apart(found.boxes, found.labels, overlap=facts.overlap))
    return found.only(slice(facts.most))


def names_of(reading: Reading) -> Callable[[int], str]:
    """What classes are called: by their numbers, where they have no names."""
    labels = reading.labels or ()
    return lambda index: labels[index] if 0 <= index < len(labels) else str(index)


def in_order_of(found: Outputs, truth: Outputs) -> Outputs:
    """Outputs of the second form with the rows of each image in the order that another run has them in.

    Of two that score alike either may be the first, and another engine rounds in another way. Each row of `truth`
    takes of those of its label the one that is nearest to it; what nothing takes comes last. Others are as they are.
    """
    is_second_form = len(found) == len(truth) >= len(FOUND) and found[0].ndim == 2
    if not is_second_form or any(one.shape != other.shape for one, other in zip(found, truth, strict=True)):
        return found
    orders = [_order([one[i] for one in found], [one[i] for one in truth]) for i in range(len(found[0]))]
    return [
        array if array.ndim < 2 else np.stack([row[order] for row, order in zip(array, orders, strict=True)])
        for array in found
    ]


def _order(found: Outputs, truth: Outputs) -> NDArray[np.intp]:
    """For each place the row of `found` that belongs there."""
    here, there = (_places(one) for one in (found, truth))
    left, order = np.ones(len(here), bool), np.full(len(here), -1)
    left[int(found[3]) :] = False
    for place in range(int(truth[3])):
        fit = left & (found[2] == truth[2][place])
        if fit.any():
            order[place] = np.where(fit, np.abs(here - there[place]).max(-1), np.inf).argmin()
            left[order[place]] = False
    order[order < 0] = np.setdiff1d(np.arange(len(here)), order)
    return order


def _places(row: Outputs) -> NDArray[np.float64]:
    """Boxes and scores [n, 5] in comparable numbers."""
    scale = max(float(np.abs(row[1]).max(initial=0)), 1.0)
    return np.concatenate([row[1] / scale, row[0][:, None]], axis=1).astype(np.float64)
