"""A picture on its way through the steps: a PIL image, or an array where PIL has no such image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer.errors import InputError

Picture = Image.Image | NDArray[Any]
"""An array is [height, width, channels], of uint8, uint16 or float32."""

_STRIP = 2**20
"""Pixels that are copied at once."""
_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)
_WIDE = ("I;16", "I;16B", "I;16L", "I;16N", "I")
"""Pillow's modes for more than 8 bits."""


def size_of(picture: Picture) -> tuple[int, int]:
    """(width, height)."""
    return picture.size if isinstance(picture, Image.Image) else (picture.shape[1], picture.shape[0])


def upright_size(picture: Picture, *, turns: bool) -> tuple[int, int]:
    """(width, height), after it is turned by its EXIF orientation where it is."""
    width, height = size_of(picture)
    if turns and isinstance(picture, Image.Image) and picture.getexif().get(_ORIENTATION) in _SIDEWAYS:
        return height, width
    return width, height


def to_array(picture: Picture) -> NDArray[Any]:
    """[height, width, channels]; it may be read-only."""
    if isinstance(picture, Image.Image):
        array = _copied(picture if picture.mode not in ("1", "P") else picture.convert(unpacked_mode(picture)))
        if picture.mode in _WIDE:
            array = _sixteen_bits(array)
        return array.reshape(picture.height, picture.width, -1)
    return picture


def _copied(image: Image.Image) -> NDArray[Any]:
    """As `np.asarray`, which keeps the interpreter to itself: a large image is copied in strips, others run between."""
    rows = max(1, _STRIP // max(1, image.width))
    if image.height <= rows:
        return np.asarray(image)
    strips = (
        np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))
        for top in range(0, image.height, rows)
    )
    first = next(strips)
    array = np.empty((image.height, *first.shape[1:]), first.dtype)
    array[:rows] = first
    for number, strip in enumerate(strips, 1):
        array[number * rows : (number + 1) * rows] = strip
    return array


def unpacked_mode(image: Image.Image) -> str:
    """The mode of a palette's colours, or of black and white as bytes."""
    if image.mode == "1":
        return "L"
    return "RGBA" if "transparency" in image.info else "RGB"


def _sixteen_bits(array: NDArray[Any]) -> NDArray[np.uint16]:
    if array.dtype != np.uint16 and (array.min(initial=0) < 0 or array.max(initial=0) > 65535):
        raise InputError("its values need more than 16 bits", code="bad_type")
    return array.astype(np.uint16, copy=False)


def to_pil(array: NDArray[Any]) -> Image.Image:
    """A uint8 array of 1 or 3 channels as a PIL image."""
    return Image.fromarray(np.ascontiguousarray(array[:, :, 0] if array.shape[2] == 1 else array))


def bands(array: NDArray[Any]) -> list[Image.Image]:
    """Each channel as a PIL image of its own."""
    return [Image.fromarray(np.ascontiguousarray(array[:, :, band])) for band in range(array.shape[2])]


def joined(images: Sequence[Image.Image]) -> NDArray[Any]:
    """The inverse of `bands`."""
    return np.stack([np.asarray(image) for image in images], axis=2)


def in_dtype(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The same values in another dtype. Raises InputError where it has no room for them."""
    if array.dtype == dtype:
        return array
    if not np.can_cast(array.dtype, dtype):
        raise InputError(f"holds {array.dtype} values, and the model takes {dtype}", code="bad_type")
    return array.astype(dtype)
