"""torch's `area` of float tensors: each new pixel is the mean of the pixels that it covers, in whole or in part."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def averaged(array: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """As `torch.nn.functional.interpolate(mode="area")`, to (width, height)."""
    made = array.astype(np.float64)
    for axis, length in ((1, size[0]), (0, size[1])):
        made = _means(made, axis, length)
    return made.astype(np.float32)


def _means(array: NDArray[np.float64], axis: int, length: int) -> NDArray[np.float64]:
    before, after = array.shape[axis], np.arange(length)
    first, last = after * before // length, -(-(after + 1) * before // length)
    sums = np.cumsum(np.moveaxis(array, axis, 0), axis=0)
    sums = np.concatenate([np.zeros_like(sums[:1]), sums])
    counts = (last - first).reshape(-1, *(1,) * (array.ndim - 1))
    return np.moveaxis((sums[last] - sums[first]) / counts, 0, axis)
