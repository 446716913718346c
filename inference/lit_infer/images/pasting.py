"""Small masks inside boxes, as Mask R-CNN answers them, laid on the image: as torchvision does it, in numpy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BORDER = 1
"""Pixels of nothing around a mask, so that it ends softly."""


def pasted(
    mask: NDArray[np.float32], box: NDArray[np.float32], size: tuple[int, int]
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Of an image of `size` (height, width) the part that a mask [h, w] covers, and its corner (top, left).

    `box`: left, top, right and bottom; it may reach beyond the image. As `torchvision.models.detection.roi_heads.
    paste_masks_in_image`: the box grows with the border of its mask, goes to whole pixels, and the mask is enlarged
    (bilinear, half-pixel centres) to as many.
    """
    bordered = np.pad(np.asarray(mask, np.float32), _BORDER)
    left, top, right, bottom = _whole(np.asarray(box, np.float32), mask.shape)
    height, width = size
    rows, columns = range(max(top, 0), min(bottom + 1, height)), range(max(left, 0), min(right + 1, width))
    part = _enlarged(bordered, max(bottom - top + 1, 1), np.array(rows, np.int64) - top, axis=0)
    part = _enlarged(part, max(right - left + 1, 1), np.array(columns, np.int64) - left, axis=1)
    return part, (rows.start, columns.start)


def _whole(box: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Whole pixels of a box that has grown by its mask's border."""
    half = np.float32(0.5)
    middle, sides = (box[2:] + box[:2]) * half, (box[2:] - box[:2]) * half
    grown = sides * np.float32((shape[1] + 2 * _BORDER) / shape[1])
    ends = np.concatenate((middle - grown, middle + grown)).astype(np.int64)
    return int(ends[0]), int(ends[1]), int(ends[2]), int(ends[3])


def _enlarged(values: NDArray[np.float32], count: int, wanted: NDArray[np.int64], *, axis: int) -> NDArray[Any]:
    """Of values [h, w], one side of which becomes `count`, the wanted ones."""
    length = values.shape[axis]
    scale = np.float32(length / count)
    place = np.maximum(scale * (wanted.astype(np.float32) + np.float32(0.5)) - np.float32(0.5), 0)
    before = np.minimum(place.astype(np.int64), length - 1)
    after = np.minimum(before + 1, length - 1)
    share = place - before.astype(np.float32)
    share = share[:, None] if axis == 0 else share[None]
    found: NDArray[Any] = values.take(before, axis) * (1 - share) + values.take(after, axis) * share
    return found
