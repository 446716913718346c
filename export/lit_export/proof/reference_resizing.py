"""The training side of the comparison: each library's own resize, and how it rounds lengths."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from lit_export.proof.reference_pictures import Loaded, as_pil, opencv, size_of

_INTERPOLATION = {
    "nearest": InterpolationMode.NEAREST,
    "nearest_exact": InterpolationMode.NEAREST_EXACT,
    "box": InterpolationMode.BOX,
    "bilinear": InterpolationMode.BILINEAR,
    "hamming": InterpolationMode.HAMMING,
    "bicubic": InterpolationMode.BICUBIC,
    "lanczos": InterpolationMode.LANCZOS,
}
_OPENCV = {"nearest": 0, "bilinear": 1, "bicubic": 2, "area": 3, "lanczos": 4, "nearest_exact": 6}  # cv2.INTER_*

ROUND: dict[str, Callable[[float], int]] = {"down": int, "nearest": round, "up": math.ceil, "nearest_quotient": round}


def resized(image: Loaded, resize: Any) -> Loaded:
    """By the library of the step."""
    width, height = size_of(image)
    size = _wanted(resize, width, height)
    if size == [height, width]:
        return image
    is_smaller = size[0] < height or size[1] < width
    interpolation = resize.shrinking if resize.shrinking and is_smaller else resize.interpolation
    return LIBRARIES[resize.library](image, size, interpolation, resize.antialias)


def _wanted(resize: Any, width: int, height: int) -> list[int]:
    """[height, width], by torchvision's own function where it is torchvision's rounding."""
    if isinstance(resize.size, tuple) and resize.keep_ratio is None:
        return list(resize.size)
    turn = ROUND[resize.rounding]
    if resize.scale is None and resize.rounding == "down" and resize.keep_ratio is None and resize.side in _TORCHVISION:
        shape = torch.empty(1, height, width)
        if resize.side == "longest":
            made = functional.resize(shape, None, max_size=resize.size)
        else:
            made = functional.resize(shape, [resize.size], max_size=resize.max_size)
        return list(made.shape[-2:])
    if resize.rounding == "nearest_quotient":  # timm's
        ratio = _shrunk(resize, width, height)
        return [max(1, turn(height / ratio)), max(1, turn(width / ratio))]
    ratio = _grown(resize, width, height)
    return [max(1, turn(height * ratio)), max(1, turn(width * ratio))]


_TORCHVISION = ("shorter", "longest")


def _grown(resize: Any, width: int, height: int) -> float:
    """After / before, as albumentations writes it."""
    if resize.scale is not None:
        return float(resize.scale)
    if resize.keep_ratio is not None:
        ratios = resize.size[0] / height, resize.size[1] / width
        return float(min(ratios) if resize.keep_ratio == "fit" else max(ratios))
    return float(resize.size / _named(resize.side, width, height))


def _shrunk(resize: Any, width: int, height: int) -> float:
    """Before / after, as timm writes it."""
    if resize.scale is not None:
        return 1.0 / float(resize.scale)
    if resize.keep_ratio is not None:
        ratios = height / resize.size[0], width / resize.size[1]
        return float(max(ratios) if resize.keep_ratio == "fit" else min(ratios))
    return float(_named(resize.side, width, height) / resize.size)


def _named(side: str, width: int, height: int) -> int:
    if side in ("height", "width"):
        return height if side == "height" else width
    return min(width, height) if side == "shorter" else max(width, height)


def _resize_pil(image: Loaded, size: list[int], interpolation: str, antialias: bool) -> Loaded:
    if isinstance(image, Image.Image) or (image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8):
        resized = functional.resize(
            as_pil(image), size, interpolation=_INTERPOLATION[interpolation], antialias=antialias
        )
        return np.asarray(resized) if isinstance(image, np.ndarray) else resized
    bands = np.atleast_3d(image)
    every = (Image.fromarray(np.ascontiguousarray(bands[..., index])) for index in range(bands.shape[2]))
    how = _INTERPOLATION[interpolation]
    return np.stack([np.asarray(functional.resize(one, size, interpolation=how)) for one in every], axis=-1)


def _resize_tensor(image: Loaded, size: list[int], interpolation: str, antialias: bool) -> Loaded:
    tensor = functional.to_image(as_pil(image) if isinstance(image, Image.Image) else np.array(image))
    if interpolation not in _INTERPOLATION:
        mode = interpolation.removesuffix("_corners")
        corners = None if mode == interpolation else True
        made = torch.nn.functional.interpolate(tensor[None].float(), size, mode=mode, align_corners=corners)
        return np.asarray(made[0].permute(1, 2, 0))
    how = _INTERPOLATION[interpolation]
    resized = functional.resize(tensor, size, interpolation=how, antialias=antialias)
    return np.asarray(resized.permute(1, 2, 0))


def _resize_opencv(image: Loaded, size: list[int], interpolation: str, _: bool) -> Loaded:
    """All channels at once, which OpenCV can; above four, as albumentations calls it."""
    array, flag = np.ascontiguousarray(np.atleast_3d(np.asarray(image))), _OPENCV[interpolation]
    cv2 = opencv()
    rest, bands = array.shape[2], []
    while rest > 0:
        take = 1 if array.shape[2] > 4 and rest <= 2 else min(rest, 4)
        begin = array.shape[2] - rest
        made = cv2.resize(np.ascontiguousarray(array[..., begin : begin + take]), size[::-1], interpolation=flag)
        bands.append(np.atleast_3d(made))
        rest -= take
    return np.concatenate(bands, axis=-1)


LIBRARIES: dict[str, Callable[[Loaded, list[int], str, bool], Loaded]] = {
    "pil": _resize_pil,
    "torch": _resize_tensor,
    "opencv": _resize_opencv,
}
