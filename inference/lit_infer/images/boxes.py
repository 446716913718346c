"""Boxes [n, 4] of left, top, right, bottom in pixels: how much they overlap, and which of many say the same."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def areas(boxes: NDArray[Any]) -> NDArray[Any]:
    """Of each box; 0 for one whose sides are crossed."""
    found: NDArray[Any] = np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)
    return found


def overlaps(some: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Intersection over union of each of `some` [n, 4] with each of `others` [m, 4]: [n, m], 0 to 1."""
    corner = np.maximum(some[:, None, :2], others[None, :, :2])
    sides = np.maximum(np.minimum(some[:, None, 2:], others[None, :, 2:]) - corner, 0)
    shared = sides[..., 0] * sides[..., 1]
    union = areas(some)[:, None] + areas(others)[None] - shared
    found: NDArray[Any] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return found


def apart(boxes: NDArray[Any], labels: NDArray[Any], *, overlap: float) -> list[int]:
    """Which boxes stay when of two of one label that overlap by more the later one is dropped: non-maximum suppression.

    Boxes are in the order of their scores, the best first. As torchvision's `batched_nms`.
    """
    kept: list[int] = []
    for label in np.unique(labels):
        left = np.flatnonzero(labels == label)
        while len(left):
            first, left = int(left[0]), left[1:]
            kept.append(first)
            shared = overlaps(boxes[first : first + 1], boxes[left])[0]
            left = left[shared.astype(np.float64) <= overlap]  # as torchvision: float32's 0.2 is more than 0.2
    return sorted(kept)


def of_tiles(
    boxes: NDArray[Any], labels: NDArray[Any], tiles: NDArray[Any], is_cut: NDArray[np.bool_], *, overlap: float
) -> list[int]:
    """Which boxes stay where those of different `tiles` [n] may be of one thing: non-maximum suppression among tiles.

    Boxes are in the order in which they are to be kept. Of two of one label that overlap by more the later one is
    dropped. Where a tile's edge cuts either of them off, the overlap is the share of the smaller one: a part lies in
    the whole.
    """
    kept: list[int] = []
    sizes = areas(boxes)
    for label in np.unique(labels):
        left = np.flatnonzero(labels == label)
        while len(left):
            first, left = int(left[0]), left[1:]
            kept.append(first)
            near = _meet(boxes[first], boxes[left]) & (tiles[left] != tiles[first])
            others = left[near]
            if not len(others):
                continue
            shared = overlaps(boxes[first : first + 1], boxes[others])[0]
            smaller = np.minimum(sizes[others], sizes[first])
            inside = shared * (sizes[others] + sizes[first]) / (1 + shared) / np.where(smaller > 0, smaller, 1)
            is_same = np.where(is_cut[others] | is_cut[first], inside, shared).astype(np.float64) > overlap
            dropped = np.zeros(len(left), bool)
            dropped[near] = is_same
            left = left[~dropped]
    return sorted(kept)


def _meet(one: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether one box has anything in common with each of the others."""
    is_there = (others[:, :2] < one[2:]).all(1) & (others[:, 2:] > one[:2]).all(1)
    return np.asarray(is_there)
