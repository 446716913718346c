"""Values over tiles as values over their image, row of tiles by row of tiles: memory grows with what overlaps."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lit_infer.images.mapping import WayBack
from lit_infer.images.tiles import Grid, Tile

Emit = Callable[[NDArray[np.float32], int, int], None]
"""Takes a block [values, height, width] that no other tile changes any more, and its top and left in the image."""


class Blend:
    """Takes the tiles of an image in their order, and hands on blocks of the image as soon as they are whole.

    Of the `mean` each tile weighs the more the farther a pixel is from the edges of what the model sees of the tile;
    the weights of all tiles make up 1. Where a single tile shows a pixel, that is its very value.
    """

    def __init__(self, grid: Grid, way: WayBack, how: Literal["mean", "max"], emit: Emit) -> None:
        """`way`: back from a prepared tile to a tile, the same for all; it says what the model sees of one."""
        self._grid, self._how, self._emit = grid, how, emit
        rows, columns = way.seen()
        self._down, self.rows_seen = shares(grid.tops, rows, grid.height)
        self._across, self.columns_seen = shares(grid.lefts, columns, grid.width)
        self._unseen = ~(rows[:, None] & columns)
        self._begun: NDArray[np.float32] | None = None
        """What rows of tiles have begun of the rows below them, over the whole width: of this row where it has been,
        of the one above where it has not."""
        self._above = 0
        """Rows of that which are of the row of tiles above."""
        self._beside: NDArray[np.float32] | None = None
        """What the earlier tiles of this row have begun."""

    def share(self, tile: Tile) -> float:
        """What the tile has of all that the model sees of the image, 0 to 1; of all tiles together 1."""
        seen = float(self.rows_seen.sum()) * float(self.columns_seen.sum())
        return float(self._down[tile.row].sum() * self._across[tile.column].sum()) / seen if seen else 0.0

    def add(self, values: NDArray[Any], tile: Tile) -> None:
        """Take [values, height, width] over a tile, in pixels of the image."""
        lefts, wide = self._grid.lefts, values.shape[2]
        left = lefts[tile.column]
        if self._how == "mean":
            block = values * self._across[tile.column]
        else:
            block = np.where(self._unseen, np.float32(-np.inf), values)
        if self._beside is not None:
            self._join(block[:, :, : self._beside.shape[2]], self._beside)
        is_last = tile.column + 1 == len(lefts)
        done = wide if is_last else lefts[tile.column + 1] - left
        self._beside = None if is_last else block[:, :, done:].copy()
        self._flush(block[:, :, :done], tile)
        if is_last:
            self._above = self._rows_below(tile.row)

    def _flush(self, block: NDArray[np.float32], tile: Tile) -> None:
        """Columns that no other tile of this row changes: what lies above the next row is whole."""
        tops, left = self._grid.tops, self._grid.lefts[tile.column]
        top, right = tops[tile.row], left + block.shape[2]
        if self._how == "mean":
            block = block * self._down[tile.row][:, None]
        if self._begun is None:
            most = max(map(self._rows_below, range(len(tops))))
            self._begun = np.empty((len(block), most, self._grid.width), np.float32)
        begun = self._begun[:, :, left:right]
        self._join(block[:, : self._above], begun[:, : self._above])
        below = self._rows_below(tile.row)
        done = block.shape[1] - below
        begun[:, :below] = block[:, done:]
        self._emit(block[:, :done], top, left)

    def _rows_below(self, row: int) -> int:
        """Pixels of a row of tiles that the next one changes."""
        tops = self._grid.tops
        return self._grid.tile_height - (tops[row + 1] - tops[row]) if row + 1 < len(tops) else 0

    def _join(self, block: NDArray[np.float32], other: NDArray[np.float32]) -> None:
        """Into the block, in place."""
        (np.add if self._how == "mean" else np.maximum)(block, other, out=block)


class Cells:
    """Of each tile what is nearer to it than to its neighbours, for answers that have no mean: as `Blend`."""

    def __init__(self, grid: Grid, way: WayBack, emit: Emit) -> None:
        rows, columns = way.seen()
        self._grid, self._emit = grid, emit
        self._down, self.rows_seen = cells(grid.tops, rows, grid.height)
        self._across, self.columns_seen = cells(grid.lefts, columns, grid.width)

    def add(self, values: NDArray[Any], tile: Tile) -> None:
        """Take [values, height, width] over a tile, in pixels of the image."""
        (top, bottom), (left, right) = self._down[tile.row], self._across[tile.column]
        if top < bottom and left < right:
            y, x = self._grid.tops[tile.row], self._grid.lefts[tile.column]
            self._emit(values[:, top - y : bottom - y, left - x : right - x], top, left)


def shares(
    starts: Sequence[int], seen: NDArray[np.bool_], length: int
) -> tuple[list[NDArray[np.float32]], NDArray[np.bool_]]:
    """Of each tile of a row or column its weights, pixel by pixel; and which pixels of the image any of them shows.

    `seen`: which pixels of a tile the model sees, one stretch of them.
    """
    first, end = _stretch(seen)
    at = np.arange(len(seen)) + 0.5
    window = np.maximum(np.minimum(at - first, end - at), 0)
    total = np.zeros(length)
    for start in starts:
        total[start : start + len(seen)] += window
    safe = np.where(total > 0, total, 1)
    return [(window / safe[start : start + len(seen)]).astype(np.float32) for start in starts], total > 0


def cells(
    starts: Sequence[int], seen: NDArray[np.bool_], length: int
) -> tuple[list[tuple[int, int]], NDArray[np.bool_]]:
    """Of each tile of a row or column the first pixel and the end of its own, up to the middle of each overlap."""
    first, end = _stretch(seen)
    bounds = [(start + first, start + end) for start in starts]
    for index in range(len(bounds) - 1):
        (before, stop), (begin, after) = bounds[index], bounds[index + 1]
        if begin < stop:
            bounds[index], bounds[index + 1] = (before, (begin + stop) // 2), ((begin + stop) // 2, after)
    shown = np.zeros(length, bool)
    for start, stop in bounds:
        shown[start:stop] = True
    return bounds, shown


def _stretch(seen: NDArray[np.bool_]) -> tuple[int, int]:
    """The first pixel and the end of what is seen."""
    there = np.flatnonzero(seen)
    return (int(there[0]), int(there[-1]) + 1) if len(there) else (0, 0)
