"""The steps that change what pixels hold, as functions of a picture: rows of `steps.APPLY`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import InputError
from lit_infer.images.limits import Limits
from lit_infer.images.pictures import Picture, to_array, to_pil
from lit_infer.images.resampling.by_opencv import opencv
from lit_infer.images.values import Channels, Grayscale, Normalize, Scale, Stretch


def grayscale(image: Picture, step: Grayscale, _: Limits) -> Picture:
    """One channel, or three equal ones."""
    array = to_array(image)
    if array.shape[2] not in (1, 3):
        raise InputError(f"has {array.shape[2]} channels; grey is made of RGB", code="bad_shape")
    grey = array if array.shape[2] == 1 else _GREY[step.library](array)
    return np.repeat(grey, step.channels, axis=2)


def _grey_by_pillow(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype != np.uint8:
        raise InputError(f"holds {array.dtype} values, and Pillow makes grey of uint8 only", code="bad_type")
    return np.asarray(to_pil(array).convert("L"))[:, :, None]


def _grey_by_torch(array: NDArray[Any]) -> NDArray[Any]:
    """`torchvision.transforms.v2.functional.rgb_to_grayscale` of a tensor: float32, cut to whole numbers for bytes."""
    red, green, blue = (array[:, :, channel].astype(np.float32) for channel in range(3))
    grey = _fused(green, 0.587, red * np.float32(0.2989))
    return _fused(blue, 0.114, grey).astype(array.dtype)[:, :, None]


def _fused(values: NDArray[np.float32], factor: float, added: NDArray[np.float32]) -> NDArray[np.float32]:
    """`values * factor + added`, rounded once."""
    return (values.astype(np.float64) * np.float32(factor) + added).astype(np.float32)


def grey_by_opencv(array: NDArray[Any]) -> NDArray[Any]:
    """`cv2.cvtColor(…, COLOR_RGB2GRAY)`, with one channel."""
    grey: NDArray[Any] = opencv().cvtColor(np.ascontiguousarray(array), opencv().COLOR_RGB2GRAY)
    return grey[:, :, None]


_GREY = {"pil": _grey_by_pillow, "torch": _grey_by_torch, "opencv": grey_by_opencv}


def channels(image: Picture, step: Channels, _: Limits) -> Picture:
    """Those that are taken, in their order."""
    array = to_array(image)
    if max(step.order) >= array.shape[2]:
        raise InputError(f"has {array.shape[2]} channels, and number {max(step.order)} is wanted", code="bad_shape")
    return array[:, :, step.order]


def scale(image: Picture, step: Scale, _: Limits) -> Picture:
    """In float32."""
    return to_array(image).astype(np.float32) * np.float32(1.0 / step.by)


def stretch(image: Picture, step: Stretch, _: Limits) -> Picture:
    """Each image by its own values."""
    array = to_array(image).astype(np.float32)
    sides = (0, 1) if step.per_channel else (0, 1, 2)
    if step.kind == "standard":
        # In float64: a sum of many float32 values loses the digits that the difference from the mean needs.
        wide = array.astype(np.float64)
        low, width = (
            made.astype(np.float32) for made in (wide.mean(sides, keepdims=True), wide.std(sides, keepdims=True))
        )
    else:
        ends = (0, 100) if step.kind == "min_max" else (step.low, step.high)
        low, high = np.percentile(array, ends, axis=sides, keepdims=True).astype(np.float32)
        width = high - low
    width = width + np.float32(step.epsilon)
    made: NDArray[Any] = (array - low) / np.where(width == 0, np.float32(1), width)
    if step.clip:
        made = np.clip(made, 0, 1)
    return made if step.limit is None else np.clip(made, -step.limit, step.limit)


def normalize(image: Picture, step: Normalize, _: Limits) -> Picture:
    """In float32."""
    mean, std = np.asarray(step.mean, np.float32), np.asarray(step.std, np.float32)
    return (to_array(image).astype(np.float32, copy=False) - mean) / std
