"""Masks of class indices as files: PNGs with a palette, so that any viewer shows the classes in colours."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer.images.png import indexed

OUTSIDE = {"uint8": 255, "uint16": 65535}
"""By a mask's dtype: what a pixel without a class has, as in PASCAL VOC."""

_LARGE = 2**26
"""Pixels from which a mask is not copied to be written."""
_BACKGROUND = frozenset({"background", "__background__", "_background_", "unlabelled", "unlabeled", "void"})


def is_background(name: str) -> bool:
    """Whether a class is what is left where there is none: titles leave it out, and pictures are seen through it."""
    return name.lower() in _BACKGROUND


def dtype_for(classes: int) -> type[np.unsignedinteger[Any]]:
    """The dtype of a mask of so many classes."""
    return np.uint8 if classes <= OUTSIDE["uint8"] else np.uint16


def outside_of(mask: NDArray[Any]) -> int:
    """What a pixel of this mask has that belongs to no class."""
    return OUTSIDE[mask.dtype.name]


def colours() -> NDArray[np.uint8]:
    """A colour for each index, uint8 [256, 3]: those of PASCAL VOC, whose first ones are as different as can be."""
    found = np.zeros((256, 3), np.uint8)
    left, bit = np.arange(256), 7
    while left.any():
        for channel in range(3):
            found[:, channel] |= ((left >> channel & 1) << bit).astype(np.uint8)
        left, bit = left >> 3, bit - 1
    return found


def png(mask: NDArray[Any]) -> bytes:
    """A PNG of a mask [height, width]: with a palette for uint8, 16 bits of grey for uint16. Values are indices."""
    if mask.dtype == np.uint8 and mask.size >= _LARGE:
        return indexed(mask, _PALETTE)
    image = Image.fromarray(np.ascontiguousarray(mask))
    if mask.dtype == np.uint8:
        image.putpalette(_PALETTE)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def png_text(mask: NDArray[Any]) -> str:
    """The same in base64."""
    return base64.b64encode(png(mask)).decode()


_PALETTE = colours().tobytes()
