"""The compiled resize of uint8 images (`kernel.c`), where it was built: the same bits, five times quicker.

Without it, or with LIT_PIXELS=pillow, Pillow and NumPy do the same. It is used for Pillow's arithmetic only after it
gave the same bits as the Pillow that is installed, in the order of passes that this one has.
"""

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_kernel: Any
try:
    _kernel = import_module("lit_infer.images.resampling._kernel")
except ImportError:  # no compiler was there when this package was installed
    _kernel = None

PILLOW = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
TORCH = frozenset({"bilinear", "bicubic"})
Box = tuple[int, int, int, int]
"""left, top, right, bottom, in the resized image."""
ColumnsFirst = Callable[[tuple[int, int], tuple[int, int]], bool]
"""(width, height) before and after -> whether the columns are resized before the rows."""

_FORCED = "LIT_PIXELS"


def is_built() -> bool:
    """Whether it is there, and not switched off. Raises ValueError for a LIT_PIXELS that means nothing."""
    wished = os.environ.get(_FORCED, "")
    if wished not in ("", "pillow"):
        raise ValueError(f"{_FORCED}={wished} is not known; it may be pillow, or not set")
    return _kernel is not None and not wished


def by_pillow(array: NDArray[Any], size: tuple[int, int], filter_name: str, box: Box | None = None) -> Any:
    """The box of a uint8 [height, width, channels], resized to `size` (width, height) as Pillow does; else None."""
    if filter_name not in PILLOW or not _fits(array) or (order := _pillow_s_order()) is None:
        return None
    before = (array.shape[1], array.shape[0])
    return _made(array, size, box, filter_name, by_torch=False, antialias=True, columns_first=order(before, size))


def by_torch(
    array: NDArray[Any], size: tuple[int, int], filter_name: str, box: Box | None = None, *, antialias: bool
) -> Any:
    """The same, as torch resizes a uint8 tensor; else None."""
    if filter_name not in TORCH or not _fits(array) or not is_built():
        return None
    return _made(array, size, box, filter_name, by_torch=True, antialias=antialias, columns_first=False)


def words() -> str:
    """What resizes uint8 images here."""
    if _kernel is None:
        return "Pillow and NumPy; the compiled kernel was not built (no C compiler when lit-deploy was installed)"
    if not is_built():
        return f"Pillow and NumPy, as {_FORCED}={os.environ[_FORCED]} says"
    if _pillow_s_order() is None:
        return "the compiled kernel for torch's arithmetic; Pillow for its own, since this release computes otherwise"
    return "the compiled kernel, with the bits of Pillow and torch"


def _fits(array: NDArray[Any]) -> bool:
    return array.dtype == np.uint8 and 1 <= array.shape[2] <= 32 and 0 not in array.shape


def _made(
    array: NDArray[Any], size: tuple[int, int], box: Box | None, filter_name: str, **how: bool
) -> NDArray[np.uint8]:
    left, top, right, bottom = box or (0, 0, *size)
    made = np.empty((bottom - top, right - left, array.shape[2]), np.uint8)
    source = np.ascontiguousarray(array)
    order = (how["by_torch"], how["antialias"], how["columns_first"])
    _kernel.resize_crop(source, made, size, (left, top, right, bottom), filter_name, *order)
    return made


def _pillow_s_order() -> ColumnsFirst | None:
    return _order_that_agrees() if is_built() else None


@cache
def _order_that_agrees() -> ColumnsFirst | None:
    """The order of passes in which this Pillow has the kernel's bits: tried once, since it is not documented."""
    return next((order for order in (_where_it_saves, _never) if all(_agrees(order, *sizes) for sizes in _TRIED)), None)


def _where_it_saves(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Pillow 13: where the height shrinks, by more than twice as many pixels as the width."""
    return after[1] < before[1] and before[1] - after[1] > 2 * (before[0] - after[0])


def _never(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Pillow before 13."""
    del before, after
    return False


_TRIED = (((40, 90), (30, 50)), ((90, 40), (50, 30)), ((50, 80), (40, 60)), ((50, 80), (40, 59)), ((40, 60), (70, 90)))
"""Sizes before and after: tall, wide, at the edge of the rule and just beyond, larger."""


def _agrees(order: ColumnsFirst, before: tuple[int, int], after: tuple[int, int]) -> bool:
    noise = np.random.default_rng(0).integers(0, 256, (before[1], before[0], 3), dtype=np.uint8)
    return all(
        np.array_equal(
            np.asarray(Image.fromarray(noise).resize(after, resample=resample)),
            _made(noise, after, None, name, by_torch=False, antialias=True, columns_first=order(before, after)),
        )
        for name, resample in PILLOW.items()
    )
