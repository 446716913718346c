"""The way back: from positions in a prepared image to positions in the image as it was read."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Placement:
    """Where an image lies in what a step makes of it: `x_after = x * scale_x + shift_x`, and y alike, in pixels.

    Pixels are areas: the first reaches from 0 to 1.
    """

    scale_x: float = 1.0
    scale_y: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0

    def then(self, after: "Placement") -> "Placement":
        """Both, one after the other."""
        return Placement(
            self.scale_x * after.scale_x,
            self.scale_y * after.scale_y,
            self.shift_x * after.scale_x + after.shift_x,
            self.shift_y * after.scale_y + after.shift_y,
        )


class Placed(Protocol):
    """A step, as far as it moves pixels."""

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of its output."""

    def placement(self, width: int, height: int) -> Placement:
        """Where an image of that size lies in its output."""


@dataclass(frozen=True)
class WayBack:
    """From a prepared image of `size` to the image of `original` size; both are (width, height)."""

    original: tuple[int, int]
    size: tuple[int, int]
    placement: Placement
    view: tuple[float, float, float, float]
    """left, top, right, bottom of what the prepared image shows of the original: not what was added around it."""

    def boxes(self, boxes: NDArray[Any], *, cut: bool = True) -> NDArray[np.float32]:
        """Boxes [n, 4] of left, top, right, bottom in the prepared image, in pixels of the original.

        `cut`: those that reach beyond it, which a letterbox and a crop allow, end with it.
        """
        placed, (width, height) = self.placement, self.original
        corners = np.asarray(boxes, np.float64).reshape(-1, 2, 2)
        moved = (corners - (placed.shift_x, placed.shift_y)) / (placed.scale_x, placed.scale_y)
        inside = np.clip(moved, 0, (width, height)) if cut else moved
        return inside.reshape(-1, 4).astype(np.float32)

    def points(self, points: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Points [n, 2] of the prepared image in pixels of the original; and which lie where the prepared one shows
        nothing of it: beyond what a crop left, or in what was added around it. They stay where they are.
        """
        placed = self.placement
        given = np.asarray(points, np.float64).reshape(-1, 2)
        moved = (given - (placed.shift_x, placed.shift_y)) / (placed.scale_x, placed.scale_y)
        left, top, right, bottom = self.view
        x, y = given[:, 0], given[:, 1]
        return moved.astype(np.float32), (x < left) | (x > right) | (y < top) | (y > bottom)

    def mask(self, mask: NDArray[Any], *, outside: float = 0) -> NDArray[Any]:
        """A mask [height, width, …] of the prepared image, for the original: the nearest value for each pixel.

        `outside`: for pixels that the prepared image does not show.
        """
        placed, (width, height) = self.placement, self.original
        across, down = self.view[0::2], self.view[1::2]
        columns, seen_x = _nearest(width, placed.scale_x, placed.shift_x, self.size[0], mask.shape[1], across)
        rows, seen_y = _nearest(height, placed.scale_y, placed.shift_y, self.size[1], mask.shape[0], down)
        back = mask[:, columns][rows]  # first the side by which fewer values are moved one by one
        back[~seen_y] = outside
        back[:, ~seen_x] = outside
        return back

    def smooth(self, plane: NDArray[Any], *, outside: float = 0) -> NDArray[np.float32]:
        """Values [height, width] over the prepared image, for the original: bilinear, averaged where it is smaller.

        An original of the size of `plane`, not moved, has its very values. `outside`: as in `mask`.
        """
        placed, (width, height) = self.placement, self.original
        back = np.full((height, width), outside, np.float32)
        columns = _seen(width, placed.scale_x, placed.shift_x, self.view[0::2])
        rows = _seen(height, placed.scale_y, placed.shift_y, self.view[1::2])
        if columns.stop > columns.start and rows.stop > rows.start:
            across = plane.shape[1] / self.size[0], plane.shape[0] / self.size[1]
            left, right = ((at * placed.scale_x + placed.shift_x) * across[0] for at in (columns.start, columns.stop))
            top, bottom = ((at * placed.scale_y + placed.shift_y) * across[1] for at in (rows.start, rows.stop))
            back[rows, columns] = _resampled(plane, (left, top, right, bottom), columns, rows)
        return back

    @property
    def is_identity(self) -> bool:
        """Whether the prepared image is the original, pixel by pixel."""
        return self.original == self.size and self.placement == Placement()

    def seen(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which rows and which columns of the original the prepared image shows."""
        placed, (width, height) = self.placement, self.original
        rows, columns = np.zeros(height, bool), np.zeros(width, bool)
        rows[_seen(height, placed.scale_y, placed.shift_y, self.view[1::2])] = True
        columns[_seen(width, placed.scale_x, placed.shift_x, self.view[0::2])] = True
        return rows, columns

    def enlarged(self, factor: float) -> "WayBack":
        """To the original at another size: `factor` times its sides."""
        placed, (width, height) = self.placement, self.original
        larger = Placement(placed.scale_x / factor, placed.scale_y / factor, placed.shift_x, placed.shift_y)
        return WayBack((round(width * factor), round(height * factor)), self.size, larger, self.view)

    def counts(self, height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each row and each column of a mask of this size, how many of the original's show it: as `mask` does.

        One value of the mask becomes rows x columns pixels: what is counted needs no mask of the original's size.
        """
        placed = self.placement
        across, down = self.view[0::2], self.view[1::2]
        columns, seen_x = _nearest(self.original[0], placed.scale_x, placed.shift_x, self.size[0], width, across)
        rows, seen_y = _nearest(self.original[1], placed.scale_y, placed.shift_y, self.size[1], height, down)
        return np.bincount(rows[seen_y], minlength=height), np.bincount(columns[seen_x], minlength=width)


def to_original(steps: Iterable[Placed], width: int, height: int) -> WayBack:
    """The way back from what the steps make of an image of this size.

    Where they turn it upright by its EXIF orientation, the original is the upright image: as it is shown.
    """
    size, placed = (width, height), Placement()
    left, top, right, bottom = 0.0, 0.0, float(width), float(height)
    for step in steps:
        moved = step.placement(*size)
        placed, size = placed.then(moved), step.output_size(*size)
        left, right = (min(max(x * moved.scale_x + moved.shift_x, 0.0), size[0]) for x in (left, right))
        top, bottom = (min(max(y * moved.scale_y + moved.shift_y, 0.0), size[1]) for y in (top, bottom))
    return WayBack((width, height), size, placed, (left, top, right, bottom))


def _seen(count: int, scale: float, shift: float, view: Sequence[float]) -> slice:
    """Of an original's pixels in a row or column those whose centres the prepared image shows."""
    first, end = (min(max(math.ceil((at - shift) / scale - 0.5), 0), count) for at in view)
    return slice(first, max(first, end))


def _resampled(
    plane: NDArray[Any], box: tuple[float, float, float, float], columns: slice, rows: slice
) -> NDArray[np.float32]:
    """What lies in the box, as so many columns and rows. Pixels at an edge may reach half over it: it is repeated."""
    height, width = plane.shape
    left, top, right, bottom = box
    before = math.ceil(max(0, -top)), math.ceil(max(0, -left))
    after = math.ceil(max(0, bottom - height)), math.ceil(max(0, right - width))
    whole = np.ascontiguousarray(plane, np.float32)
    if any((*before, *after)):
        whole = np.pad(whole, ((before[0], after[0]), (before[1], after[1])), mode="edge")
    moved = (left + before[1], top + before[0], right + before[1], bottom + before[0])
    size = columns.stop - columns.start, rows.stop - rows.start
    return np.asarray(Image.fromarray(whole).resize(size, Image.Resampling.BILINEAR, box=moved))


def _nearest(
    count: int, scale: float, shift: float, prepared: int, stored: int, view: Sequence[float]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For each pixel's centre its index in a mask of `stored` values over `prepared` pixels, and if it is in view."""
    position = (np.arange(count) + 0.5) * scale + shift
    index = np.floor(position * stored / prepared).astype(np.intp)
    return np.clip(index, 0, stored - 1), (position >= view[0]) & (position < view[1])
