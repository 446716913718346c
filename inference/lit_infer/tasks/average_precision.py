"""How good boxes are, as COCO measures it: precision at 101 recalls, mean over classes, at ten overlaps."""

import numpy as np
from numpy.typing import NDArray

from lit_infer.images.boxes import overlaps

OVERLAPS = np.linspace(0.5, 0.95, 10)
MOST = 100
"""Boxes of an image that count, the best ones."""
_RECALLS = np.linspace(0, 1, 101)


def matched(
    boxes: NDArray[np.floating],
    labels: NDArray[np.integer],
    scores: NDArray[np.floating],
    true_boxes: NDArray[np.floating],
    true_labels: NDArray[np.integer],
) -> NDArray[np.float64]:
    """One image's boxes and truths as rows: label, score, and for each of `OVERLAPS` whether it is right.

    A truth is a row whose score is NaN. Rows of many images, one beneath the other, are what `mean` takes. Each box,
    the best first, takes the truth of its label that it overlaps most, and that no other has taken.
    """
    order = np.argsort(-scores, kind="stable")[:MOST]
    boxes, labels, scores = boxes[order], labels[order], scores[order]
    rows = np.zeros((len(boxes) + len(true_boxes), 2 + len(OVERLAPS)))
    rows[: len(boxes), 0], rows[: len(boxes), 1] = labels, scores
    rows[len(boxes) :, 0], rows[len(boxes) :, 1] = true_labels, np.nan
    found = np.where(labels[:, None] == true_labels[None], overlaps(boxes, true_boxes), 0)
    for column, least in enumerate(OVERLAPS):
        left = found.copy()
        for index in range(len(boxes)):
            best = int(left[index].argmax()) if len(true_boxes) else 0
            if len(true_boxes) and left[index, best] >= least:
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
