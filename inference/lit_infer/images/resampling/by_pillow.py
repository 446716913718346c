"""Pillow's own resize, band by band where it has no image of so many."""

import numpy as np
from PIL import Image

from lit_infer.images.pictures import Picture, bands, joined, to_array, to_pil
from lit_infer.images.resampling import kernel
from lit_infer.images.resizing import Interpolation

RESAMPLING: dict[Interpolation, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "nearest_exact": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resized(picture: Picture, size: tuple[int, int], interpolation: Interpolation, antialias: bool) -> Picture:
    """By `Image.resize`, or by the kernel with its bits."""
    del antialias  # it always does
    if (made := _by_kernel(picture, size, interpolation)) is not None:
        return made
    resample = RESAMPLING[interpolation]
    if isinstance(picture, Image.Image):
        return picture.resize(size, resample=resample)
    if picture.dtype == np.uint8 and picture.shape[2] in (1, 3):
        return to_pil(picture).resize(size, resample=resample)
    return joined([band.resize(size, resample=resample) for band in bands(picture)])


def resized_part(
    picture: Picture,
    size: tuple[int, int],
    interpolation: Interpolation,
    antialias: bool,
    box: tuple[int, int, int, int],
) -> Picture | None:
    """Only the box of what `resized` gives, by the kernel; None where it cannot."""
    del antialias
    return _by_kernel(picture, size, interpolation, box)


def _by_kernel(
    picture: Picture,
    size: tuple[int, int],
    interpolation: Interpolation,
    box: tuple[int, int, int, int] | None = None,
) -> Picture | None:
    if isinstance(picture, Image.Image) and picture.mode not in ("L", "RGB"):  # Pillow weighs colours by their alpha
        return None
    if interpolation not in kernel.PILLOW or not kernel.is_built():  # before the pixels are copied
        return None
    made: Picture | None = kernel.by_pillow(to_array(picture), size, interpolation, box)
    return made
