"""Masks of COCO's JSON: polygons, runs, or compressed runs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.images import rle
from lit_infer.images.rle import Rle


def mask_of(segmentation: Any, size: tuple[int, int]) -> Rle:
    """The mask of an annotation in an image of `size` (height, width). Raises ValueError, TypeError or KeyError."""
    if isinstance(segmentation, dict):
        if tuple(segmentation["size"]) != size:
            raise ValueError(f"a mask is of the size {segmentation['size']}, its image of {list(size)}")
        counts = segmentation["counts"]
        runs = rle.unpacked(counts) if isinstance(counts, str) else np.array(counts, np.int64)
        return rle.of_runs(runs, size)
    found = np.zeros(size, bool)
    for polygon in segmentation:
        found |= filled(np.array(polygon, np.float64).reshape(-1, 2), size)
    return rle.of_mask(found)


def filled(corners: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centres are in a polygon of corners [n, 2] (x, y).

    pycocotools may give a pixel that the outline cuts to the other side.
    """
    if len(corners) < 3 or not np.isfinite(corners).all():
        raise ValueError("a polygon needs three corners or more, of numbers")
    height, width = size
    crossed = np.zeros((height, width + 1), bool)
    for (x, y), (next_x, next_y) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        first, last = (int(np.clip(np.ceil(end - 0.5), 0, height)) for end in sorted((y, next_y)))
        rows = np.arange(first, last)
        at = x + (rows + 0.5 - y) * ((next_x - x) / (next_y - y)) if len(rows) else rows
        crossed[rows, np.clip(np.ceil(at - 0.5), 0, width).astype(np.intp)] ^= True
    return np.logical_xor.accumulate(crossed[:, :width], axis=1)
