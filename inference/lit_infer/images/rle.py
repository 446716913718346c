"""Masks as runs, as COCO has them: column by column, how many pixels are outside, inside, outside and so on.

`counts` is COCO's compressed text, which pycocotools reads as it is.
"""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

_BITS, _MORE, _SIGN, _FIRST = 5, 32, 16, 48
"""Of a character: bits of a number, whether more of them follow, the sign in the last one, and that of nothing."""


class Rle(msgspec.Struct, frozen=True, gc=False):
    """A mask of an image. It takes room by its outline, not by the image."""

    size: tuple[int, int]
    """Height and width of the image."""
    counts: str
    """The runs, as COCO compresses them."""

    @property
    def runs(self) -> NDArray[np.int64]:
        """How many pixels each run has; the first one is outside."""
        return unpacked(self.counts)

    @property
    def area(self) -> int:
        """Pixels inside."""
        return int(self.runs[1::2].sum())

    def mask(self) -> NDArray[np.bool_]:
        """bool [height, width]."""
        height, width = self.size
        runs = self.runs
        inside = np.arange(len(runs)) % 2 == 1
        return np.repeat(inside, runs).reshape(width, height).T


def of_part(part: NDArray[np.bool_], corner: tuple[int, int], size: tuple[int, int]) -> Rle:
    """A mask of an image of `size` (height, width), of which only a part [h, w] is inside; its `corner` (top, left)."""
    (top, left), height = corner, size[0]
    rows, columns = part.shape
    bounds = np.zeros(0, np.int64)
    if part.size:
        strip = np.zeros((columns, height), bool)
        strip[:, top : top + rows] = part.T
        flat = np.concatenate(([False], strip.ravel(), [False]))
        bounds = np.flatnonzero(flat[1:] != flat[:-1]) + left * height
    return _of_bounds(bounds, size)


def _of_bounds(bounds: NDArray[np.int64], size: tuple[int, int]) -> Rle:
    """Where runs inside begin and end, one after the other."""
    whole = size[0] * size[1]
    ends = bounds if len(bounds) and bounds[-1] == whole else np.append(bounds, whole)
    return Rle(size, packed(np.diff(ends, prepend=0)))


def of_mask(mask: NDArray[np.bool_]) -> Rle:
    """Of a whole mask [height, width]."""
    return of_part(mask, (0, 0), (mask.shape[0], mask.shape[1]))


def of_classes(mask: NDArray[Any]) -> dict[int, Rle]:
    """Of a mask [height, width] of indices, which has pixels: those of each one that is there."""
    height, width = mask.shape
    flat = np.ascontiguousarray(mask.T).ravel()
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    bounds = np.stack((starts, np.append(starts[1:], flat.size)), axis=1)
    values = flat[starts]
    order = np.argsort(values, kind="stable")
    found, first = np.unique(values[order], return_index=True)
    return {
        int(index): _of_bounds(bounds[of].ravel(), (height, width))
        for index, of in zip(found, np.split(order, first[1:]), strict=True)
    }


def box(found: Rle) -> tuple[int, int, int, int]:
    """Left, top, width and height of what is inside; all 0 where nothing is."""
    height = found.size[0]
    ends = np.cumsum(found.runs)
    starts, lasts = ends[:-1:2], ends[1::2] - 1
    is_there = lasts >= starts
    starts, lasts = starts[is_there], lasts[is_there]
    if not len(starts):
        return 0, 0, 0, 0
    left, right = int(starts[0] // height), int(lasts[-1] // height)
    is_whole = (starts // height != lasts // height).any()  # from the end of a column to the next one's start
    top, bottom = (0, height - 1) if is_whole else (int((starts % height).min()), int((lasts % height).max()))
    return left, top, right - left + 1, bottom - top + 1


def of_runs(runs: NDArray[np.int64], size: tuple[int, int]) -> Rle:
    """Of runs, such as uncompressed ones. Raises ValueError where they are not those of such an image."""
    if runs.ndim != 1 or (runs < 0).any() or int(runs.sum()) != size[0] * size[1]:
        raise ValueError(f"the runs of a mask do not make up {size[0]} x {size[1]} pixels")
    return Rle(size, packed(runs))


def packed(runs: NDArray[np.int64]) -> str:
    """Runs as COCO compresses them: from the fourth on by how much they differ from the last but one."""
    left = runs.astype(np.int64).copy()
    left[3:] -= runs[1:-2]
    is_there = np.ones(len(left), bool)
    columns = []
    while is_there.any():
        bits = left & (_MORE - 1)
        left = left >> _BITS
        more = np.where(bits & _SIGN, left != -1, left != 0)
        columns.append(np.where(is_there, bits + _MORE * more + _FIRST, 0))
        is_there = is_there & more
    text = np.stack(columns, axis=1).ravel() if columns else np.zeros(0, np.int64)
    return text[text > 0].astype(np.uint8).tobytes().decode("ascii")


def unpacked(counts: str) -> NDArray[np.int64]:
    """The runs of compressed ones. Raises ValueError for what is no such text."""
    letters = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - _FIRST
    last = letters & _MORE == 0
    if not len(letters) or (letters < 0).any() or (letters >= 2 * _MORE).any() or not last[-1]:
        raise ValueError("these counts are not COCO's compressed runs")
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > 64 // _BITS:
        raise ValueError("these counts have a number that is too large")
    place = np.arange(len(letters)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((letters & (_MORE - 1)) << (_BITS * place), starts)
    runs = np.where(letters[ends] & _SIGN, runs - (np.int64(1) << (_BITS * lengths)), runs)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def overlaps(some: "list[Rle]", others: "list[Rle]") -> NDArray[np.float64]:
    """Intersection over union of each of `some` with each of `others`, of images of one size: [n, m], 0 to 1.

    By runs, without the masks: the pixels of one that lie before the ends of the runs of the other.
    """
    found = np.zeros((len(some), len(others)))
    here, there = ([_ends(one) for one in masks] for masks in (some, others))
    for i, (ends, inside) in enumerate(here):
        for j, (other_ends, other_inside) in enumerate(there):
            before = np.interp(ends, other_ends, other_inside)  # exact: both are whole numbers
            shared = float(np.diff(before)[::2].sum()) if len(ends) else 0.0
            union = inside[-1] + other_inside[-1] - shared
            found[i, j] = shared / union if union else 0.0
    return found


def _ends(mask: Rle) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where its runs end, from the first one's on, and how many pixels inside are before each of these."""
    runs = mask.runs
    if len(runs) % 2:  # ends outside
        runs = np.append(runs, 0)
    inside = runs.copy()
    inside[::2] = 0
    return np.cumsum(runs), np.cumsum(inside)
