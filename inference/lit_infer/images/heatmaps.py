"""Points of heatmaps: where a map is highest, and what is made of the cells around it."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Peak = Literal["argmax", "quarter_offset", "soft_argmax"]
"""Where in its map a point is: in the highest cell; a quarter of a cell from there towards the higher neighbour, as in
HRNet; or at the mean of all positions, weighted by their values (soft-argmax, DSNT)."""
PlaceInCell = Literal["centre", "corner"]
"""Where in its cell a position is: halfway, or at its left top corner, as if cells were points of a grid."""


def decoded(maps: NDArray[Any], peak: Peak, cell: PlaceInCell) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions [..., 2], x and y in cells from the maps' left top corner, and the maximum of each map [..., h, w]."""
    height, width = maps.shape[-2:]
    flat = maps.reshape(*maps.shape[:-2], height * width)
    best = flat.argmax(-1)
    rows, columns = np.divmod(best, width)
    places = np.stack((columns, rows), axis=-1).astype(np.float64)
    if peak == "quarter_offset":
        places += 0.25 * _uphill(maps, rows, columns)
    elif peak == "soft_argmax":
        places = _mean(flat, places, width)
    found: NDArray[np.float64] = places + (0.5 if cell == "centre" else 0.0)
    return found, np.take_along_axis(flat, best[..., None], axis=-1)[..., 0].astype(np.float64)


def _uphill(maps: NDArray[Any], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """The sign of the slope at each peak; none within a cell of an edge of the map, as in HRNet."""
    height, width = maps.shape[-2:]
    inner = (columns > 1) & (columns < width - 1) & (rows > 1) & (rows < height - 1)
    flat = maps.reshape(*maps.shape[:-2], height * width)

    def at(row: NDArray[np.intp], column: NDArray[np.intp]) -> NDArray[Any]:
        index = np.clip(row, 0, height - 1) * width + np.clip(column, 0, width - 1)
        return np.take_along_axis(flat, index[..., None], axis=-1)[..., 0].astype(np.float64)

    across = at(rows, columns + 1) - at(rows, columns - 1)
    down = at(rows + 1, columns) - at(rows - 1, columns)
    found: NDArray[np.float64] = np.sign(np.stack((across, down), axis=-1)) * inner[..., None]
    return found


def _mean(flat: NDArray[Any], peaks: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The mean position by the values, in cells; of a map without any value the peak. By the sums of columns and rows,
    so that no map is copied.
    """
    maps = flat.reshape(*flat.shape[:-1], -1, width)
    columns, rows = maps.sum(-2, dtype=np.float64), maps.sum(-1, dtype=np.float64)
    total = columns.sum(-1)
    sums = np.stack((columns @ np.arange(width), rows @ np.arange(maps.shape[-2])), axis=-1)
    is_there = (total > 0)[..., None]
    return np.where(is_there, sums / np.where(is_there, total[..., None], 1), peaks)
