"""How good boxes or masks are, as COCO measures it: precision at 101 recalls, mean over classes, at ten overlaps."""

import numpy as np
from numpy.typing import NDArray

OVERLAPS = np.linspace(0.5, 0.95, 10)
MOST = 100
"""Answers of an image that count, the best ones."""
_RECALLS = np.linspace(0, 1, 101)


def matched(
    overlaps: NDArray[np.floating],
    labels: NDArray[np.integer],
    scores: NDArray[np.floating],
    true_labels: NDArray[np.integer],
) -> NDArray[np.float64]:
    """What was found in one image, and the truths, as rows: label, score, and for each of `OVERLAPS` if it is right.

    `overlaps` [found, truths] is the intersection over union of boxes, or of masks. A truth is a row whose score is
    NaN. Rows of many images, one beneath the other, are what `mean` takes. Each that was found, the best first, takes
    the truth of its label that it overlaps most, and that no other has taken.
    """
    order = np.argsort(-scores, kind="stable")[:MOST]
    overlaps, labels, scores = overlaps[order], labels[order], scores[order]
    count = len(labels)
    rows = np.zeros((count + len(true_labels), 2 + len(OVERLAPS)))
    rows[:count, 0], rows[:count, 1] = labels, scores
    rows[count:, 0], rows[count:, 1] = true_labels, np.nan
    found = np.where(labels[:, None] == true_labels[None], overlaps, 0)
    for column, least in enumerate(OVERLAPS):
        left = found.copy()
        for index in range(count):
            best = int(left[index].argmax()) if len(true_labels) else 0
            if len(true_labels) and left[index, best] >= least:
                rows[index, 2 + column] = 1
                left[:, best] = 0
    return rows


def mean(rows: NDArray[np.float64]) -> dict[str, float]:
    """`mAP50` and `mAP`, the mean over overlaps from 0.5 to 0.95; both over the classes that have truths."""
    is_truth = np.isnan(rows[:, 1])
    found = [_of_class(rows[(rows[:, 0] == label)]) for label in np.unique(rows[is_truth, 0])]
    if not found:
        return {"mAP50": 0.0, "mAP": 0.0}
    return {"mAP50": float(np.mean([one[0] for one in found])), "mAP": float(np.mean(found))}


def _of_class(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The average precision at each overlap."""
    is_truth = np.isnan(rows[:, 1])
    answers = rows[~is_truth]
    right = answers[np.argsort(-answers[:, 1], kind="stable"), 2:]
    recall = np.cumsum(right, axis=0) / is_truth.sum()
    precision = np.cumsum(right, axis=0) / np.arange(1, len(right) + 1)[:, None]
    precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    averages = []
    for column in range(right.shape[1]):
        at = np.searchsorted(recall[:, column], _RECALLS, side="left")
        averages.append(float(np.concatenate([precision[:, column], [0.0]])[np.minimum(at, len(right))].mean()))
    return np.array(averages)
