"""Values like those of an example: never outside what its rows show."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fitted(rows: NDArray[Any], sides: Sequence[int]) -> NDArray[Any]:
    """Rows with these sides: cut where the example is longer, from its beginning again where it is shorter."""
    for axis, side in enumerate(sides, start=1):
        if rows.shape[axis] != side:
            rows = np.take(rows, np.arange(side) % rows.shape[axis], axis)
    return rows


def shows_values(rows: NDArray[Any]) -> bool:
    """Whether an example of floats shows more than its shape: zeros, ones and uninitialised memory do not."""
    return bool(rows.size and np.isfinite(rows).all() and (rows != rows.flat[0]).any())


def mixed(
    generator: np.random.Generator,
    shown: NDArray[Any],
    rows: NDArray[Any],
    is_kept: NDArray[np.bool_],
    *,
    scale: float,
    is_loose: bool,
) -> NDArray[Any]:
    """Rows of the example, those that are not kept with others in their place whose values lie within what it shows:
    of each element over all rows, or of the only row.

    `is_loose`: the integers of an only row may change places, as those of a sequence; else each has its one value.
    An example of floats that shows only a shape is replaced by noise of that scale.
    """
    if shown.dtype.kind == "f" and shown.size > 1 and not shows_values(shown):
        return (generator.standard_normal(rows.shape) * scale).astype(rows.dtype)
    others = _alike(generator, shown, len(rows), is_loose=is_loose)
    return np.where(is_kept.reshape(-1, *[1] * (rows.ndim - 1)), rows, others)


def _alike(generator: np.random.Generator, rows: NDArray[Any], count: int, *, is_loose: bool) -> NDArray[Any]:
    shape = (count, *rows.shape[1:])
    is_float = rows.dtype.kind == "f"
    if not rows.size:
        return np.zeros(shape, rows.dtype)
    if _is_mask(rows):
        return _masks(generator, rows, shape)
    if len(rows) > 1:
        low, high = rows.min(0), rows.max(0)
    elif is_loose or is_float:
        low, high = rows.min(), rows.max()
    else:
        return np.repeat(rows, count, axis=0)
    if is_float and not (rows == np.round(rows)).all():
        return generator.uniform(low, high, shape).astype(rows.dtype)
    return generator.integers(low.astype(np.int64), high.astype(np.int64), shape, endpoint=True).astype(rows.dtype)


def _is_mask(rows: NDArray[Any]) -> bool:
    """Whether its lines hold both 0 and 1, and nothing else."""
    return rows.ndim > 1 and rows.shape[-1] > 1 and bool(np.isin(rows, (0, 1)).all()) and len(np.unique(rows)) == 2


def _masks(generator: np.random.Generator, rows: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Padding of any length where the example's is at one end, else any pattern; a line of only 0 if one is shown."""
    lines = rows.reshape(-1, rows.shape[-1]).astype(np.int64)
    count, size = int(np.prod(shape[:-1])), shape[-1]
    steps = np.diff(lines, axis=-1)
    if (steps <= 0).all() or (steps >= 0).all():
        lengths = lines.sum(-1)
        low, high = (lengths.min(), lengths.max()) if np.ptp(lengths) else (1, size)
        made = np.arange(size) < generator.integers(low, high, count, endpoint=True)[:, None]
        made = made if (steps <= 0).all() else made[:, ::-1]
    else:
        made = generator.integers(0, 2, (count, size)).astype(bool)
        for value in (0, 1):
            if not (lines == value).all(-1).any():
                same = np.flatnonzero((made == value).all(-1))
                made[same, generator.integers(size, size=len(same))] = 1 - value
    return made.reshape(shape).astype(rows.dtype)
