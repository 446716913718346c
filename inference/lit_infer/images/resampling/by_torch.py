"""torch's resize of tensors (`torchvision.transforms.v2.Resize` after ToImage), in NumPy or by the kernel.

uint8 has the same bits: columns first, each pass in 16-bit weights of the most bits that they have room for, rounded to
uint8 between the passes. float32 is computed in float32 in the same order; torch may use fused multiply-add, so that
the last bits depend on the processor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.images.pictures import Picture, to_array
from lit_infer.images.resampling import kernel
from lit_infer.images.resampling.averaging import averaged
from lit_infer.images.resizing import Interpolation

_WEIGHT_LIMIT = 1 << 15
_MOST_BITS = 22
Filter = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class _Taps:
    """For each output pixel of one side, the pixels it is made of and their weights."""

    indices: NDArray[np.intp]  # [out, taps]
    weights: NDArray[Any]  # [out, taps], zero where there are fewer


def resized(picture: Picture, size: tuple[int, int], interpolation: Interpolation, antialias: bool) -> Picture:
    """As `torch.nn.functional.interpolate` of a tensor."""
    array = to_array(picture)
    if interpolation in ("nearest", "nearest_exact"):
        rows, columns = (_nearest(array.shape[axis], size[1 - axis], interpolation) for axis in (0, 1))
        return array[rows][:, columns]
    if interpolation == "area":
        return averaged(array, size)
    if (made := resized_part(array, size, interpolation, antialias)) is not None:
        return made
    for axis, length in ((1, size[0]), (0, size[1])):
        if array.shape[axis] != length:
            array = _one_pass(array, axis, length, interpolation, antialias=antialias)
    return array


def resized_part(
    picture: Picture,
    size: tuple[int, int],
    interpolation: Interpolation,
    antialias: bool,
    box: tuple[int, int, int, int] | None = None,
) -> Picture | None:
    """Only the box (all without one) of what `resized` gives, by the kernel; None where it cannot."""
    if interpolation not in kernel.TORCH or not kernel.is_built():
        return None
    made: Picture | None = kernel.by_torch(to_array(picture), size, interpolation, box, antialias=antialias)
    return made


def _nearest(before: int, after: int, interpolation: Interpolation) -> NDArray[np.intp]:
    scale = np.float32(before) / np.float32(after)
    shift = np.float32(0.5 if interpolation == "nearest_exact" else 0)
    position = (np.arange(after, dtype=np.float32) + shift) * scale
    indices: NDArray[np.intp] = np.minimum(np.floor(position).astype(np.intp), before - 1)
    return indices


def _one_pass(
    array: NDArray[Any], axis: int, length: int, interpolation: Interpolation, *, antialias: bool
) -> NDArray[Any]:
    if array.dtype == np.uint8:
        taps = _taps(array.shape[axis], length, interpolation, antialias, "float64")
        return _pass_of_bytes(array, axis, taps)
    taps = _taps(array.shape[axis], length, interpolation, antialias, "float32")
    return _pass_of_floats(array.astype(np.float32, copy=False), axis, taps)


@lru_cache(maxsize=256)
def _taps(before: int, after: int, interpolation: Interpolation, antialias: bool, dtype: str) -> _Taps:
    make = _antialiased if antialias and interpolation in _FILTERS else _two if "bilinear" in interpolation else _four
    return make(before, after, interpolation, np.dtype(dtype).type)


def _pass_of_bytes(array: NDArray[np.uint8], axis: int, taps: _Taps) -> NDArray[np.uint8]:
    bits = _bits(float(taps.weights.max()))
    scaled = taps.weights * (1 << bits)
    weights = np.trunc(scaled + np.where(taps.weights < 0, -0.5, 0.5)).astype(np.int32)
    lines = np.moveaxis(array, axis, 0).astype(np.int32)
    total = np.full((len(weights), *lines.shape[1:]), 1 << (bits - 1), np.int32)
    for tap in range(weights.shape[1]):
        total += lines[taps.indices[:, tap]] * _along(weights[:, tap], lines.ndim)
    return np.moveaxis(np.clip(total >> bits, 0, 255).astype(np.uint8), 0, axis)


def _pass_of_floats(array: NDArray[np.float32], axis: int, taps: _Taps) -> NDArray[np.float32]:
    lines = np.moveaxis(array, axis, 0)
    total = np.zeros((len(taps.weights), *lines.shape[1:]), np.float32)
    for tap in range(taps.weights.shape[1]):
        weights = _along(taps.weights[:, tap], lines.ndim).astype(np.float64)
        # One rounding for both operations, as a fused multiply-add has.
        total = (total + lines[taps.indices[:, tap]] * weights).astype(np.float32)
    return np.moveaxis(total, 0, axis)


def _along(values: NDArray[Any], sides: int) -> NDArray[Any]:
    return values.reshape(-1, *(1,) * (sides - 1))


def _bits(largest: float) -> int:
    """The most bits at which the largest weight fits into 16 with its sign."""
    return next(
        (bits for bits in range(_MOST_BITS) if int(0.5 + largest * (1 << (bits + 1))) >= _WEIGHT_LIMIT), _MOST_BITS
    )


def _antialiased(before: int, after: int, interpolation: Interpolation, kind: Any) -> _Taps:
    """The filter is as wide as the pixels of the smaller image."""
    radius, weigh = _FILTERS[interpolation]
    scale = kind(before) / kind(after)
    support = kind(radius) * scale if scale >= 1 else kind(radius)
    inverse = kind(1) / scale if scale >= 1 else kind(1)
    center = scale * (np.arange(after).astype(kind) + kind(0.5))
    first = np.maximum((center - support + kind(0.5)).astype(np.intp), 0)
    last = np.minimum((center + support + kind(0.5)).astype(np.intp), before)
    tap = np.arange(int((last - first).max()))
    position = (tap + first[:, None]).astype(kind) - center[:, None] + kind(0.5)
    weights = np.where(tap < (last - first)[:, None], weigh(position * inverse), 0).astype(kind)
    weights /= weights.sum(axis=1, keepdims=True)
    return _Taps(np.minimum(first[:, None] + tap, before - 1), weights)


def _two(before: int, after: int, interpolation: Interpolation, kind: Any) -> _Taps:
    position = np.maximum(_positions(before, after, interpolation, kind), 0)
    first = np.minimum(np.floor(position).astype(np.intp), before - 1)
    share = np.clip(position - first.astype(kind), 0, 1)
    return _Taps(np.stack([first, np.minimum(first + 1, before - 1)], 1), np.stack([1 - share, share], 1))


def _four(before: int, after: int, interpolation: Interpolation, kind: Any) -> _Taps:
    """Pixels beyond the edge are those at the edge: their weights are added up there before they are rounded."""
    position = _positions(before, after, interpolation, kind)
    middle = np.floor(position).astype(np.intp)
    share = np.clip(position - middle.astype(kind), 0, 1)
    first, last = np.maximum(middle - 1, 0), np.minimum(middle + 3, before)
    weights, every = np.zeros((after, 4), kind), np.arange(after)
    for tap in range(4):
        at = np.clip(middle - 1 + tap, first, last - 1) - first
        weights[every, at] += _cubic(tap - 1 - share, kind(-0.75))
    return _Taps(np.minimum(first[:, None] + np.arange(4), before - 1), weights)


def _positions(before: int, after: int, interpolation: Interpolation, kind: Any) -> NDArray[Any]:
    if interpolation.endswith("_corners"):
        corners: NDArray[Any] = kind(before - 1) / kind(max(after - 1, 1)) * np.arange(after).astype(kind)
        return corners
    scale = kind(before) / kind(after)
    positions: NDArray[Any] = scale * (np.arange(after).astype(kind) + kind(0.5)) - kind(0.5)
    return positions


def _triangle(x: NDArray[Any]) -> NDArray[Any]:
    weights: NDArray[Any] = np.maximum(1 - np.abs(x), 0)
    return weights


def _cubic(x: NDArray[Any], a: float = -0.5) -> NDArray[Any]:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    weights: NDArray[Any] = np.where(x < 1, near, np.where(x < 2, (((x - 5) * x + 8) * x - 4) * a, 0))
    return weights


_FILTERS: dict[Interpolation, tuple[float, Filter]] = {"bilinear": (1.0, _triangle), "bicubic": (2.0, _cubic)}
