"""Run rows through a graph: padded to the batch size that it takes, run, and split again. Used wherever a graph runs.

Nothing here knows what rows mean; joining is only right if rows do not depend on each other.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.engines import Run
from lit_infer.tensors import Arrays


def full(count: int, size: int | None) -> int:
    """Rows to run for `count` of them: whole batches of `size`, or just those, if the graph takes any (None)."""
    return count if size is None else -(-count // size) * size


def filled(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """The array, padded with rows of zeros to that many."""
    if len(array) >= rows:
        return array
    blank = np.zeros((rows - len(array), *array.shape[1:]), dtype=array.dtype)
    return np.concatenate([array, blank])


def repeated(array: NDArray[Any], rows: int, *, axis: int = 0) -> NDArray[Any]:
    """The array with its rows repeated, or cut, to that many."""
    length = array.shape[axis]
    return array if length == rows else np.take(array, np.arange(rows) % length, axis)


def run(graph: Run, arrays: Sequence[NDArray[Any]], *, count: int, size: int | None) -> Arrays:
    """The graph's outputs for the first `count` rows of the arrays, in batches of `size` if it takes no other."""
    if size is None and len(arrays[0]) == count:  # nothing to fill up and nothing to cut
        return tuple(graph(arrays))
    rows = full(count, size)
    arrays = [filled(array, rows) for array in arrays]
    step = size or rows
    parts = [graph([array[start : start + step] for array in arrays]) for start in range(0, rows, step)]
    outputs = parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]
    return tuple(output[:count] for output in outputs)


def joined(parts: Sequence[Sequence[NDArray[Any]]]) -> Arrays:
    """The arrays of several items, joined into one batch."""
    return tuple(parts[0]) if len(parts) == 1 else tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def split(outputs: Sequence[NDArray[Any]], counts: Sequence[int]) -> list[Arrays]:
    """The outputs of a batch, split into items with so many rows each."""
    items, start = [], 0
    for count in counts:
        items.append(tuple(output[start : start + count] for output in outputs))
        start += count
    return items
