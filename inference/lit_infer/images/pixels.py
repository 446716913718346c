"""From an image, in any form, to the uint8 array that the graph takes: read, decode, transform.

The pixels are those that the training transform (torchvision v2 on PIL images) makes, bit for bit. JPEG is
decoded by simplejpeg, twice as fast as Pillow with the same pixels; everything it refuses goes to Pillow,
which training used and which therefore decides.
"""

import io
import os
import stat
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from lit_infer.errors import InputError
from lit_infer.images.limits import DEFAULT_LIMITS, FORMATS, Limits
from lit_infer.images.preprocess import Step
from lit_infer.images.steps import apply

__all__ = [
    "DEFAULT_LIMITS",
    "FORMATS",
    "SUFFIXES",
    "ImageInput",
    "Limits",
    "Pixels",
    "decode",
    "prepare",
    "prepare_timed",
    "read",
    "transform",
]

ImageInput = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
Pixels = NDArray[np.uint8]  # [height, width, channels]

# The files that a folder is searched for.
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

# By a JPEG's colour space: the image's mode, and the layout in which Pillow keeps such pixels, so that it only copies
# them: simplejpeg's name for it, and Pillow's.
_KEPT = {"YCbCr": ("RGB", "RGBX", "RGBX"), "Gray": ("L", "GRAY", "L")}


def prepare(item: ImageInput, *, steps: Sequence[Step], channels: int, limits: Limits = DEFAULT_LIMITS) -> Pixels:
    """One image as uint8 [height, width, channels], preprocessed as in training.

    `item`: a path, an encoded image's bytes, a PIL image, or a uint8 array [height, width(, channels)], RGB.
    Raises InputError, with a stable `code`, for what cannot be read or is over a limit.
    """
    return prepare_timed(item, steps=steps, channels=channels, limits=limits)[0]


def prepare_timed(
    item: ImageInput, *, steps: Sequence[Step], channels: int, limits: Limits = DEFAULT_LIMITS
) -> tuple[Pixels, tuple[float, float, float]]:
    """As `prepare`, with the milliseconds that reading, decoding and transforming took."""
    started = time.perf_counter()
    data = read(item, limits=limits)
    read_at = time.perf_counter()
    image = decode(data, steps=steps, limits=limits)
    decoded_at = time.perf_counter()
    pixels = transform(image, steps=steps, channels=channels, limits=limits)
    done_at = time.perf_counter()
    return pixels, ((read_at - started) * 1e3, (decoded_at - read_at) * 1e3, (done_at - decoded_at) * 1e3)


def read(item: ImageInput, *, limits: Limits = DEFAULT_LIMITS) -> bytes | Image.Image | NDArray[np.uint8]:
    """The bytes behind a path; anything else unchanged."""
    return _read(item, limits) if isinstance(item, str | os.PathLike) else item


def decode(
    item: bytes | Image.Image | NDArray[np.uint8], *, steps: Sequence[Step], limits: Limits = DEFAULT_LIMITS
) -> Image.Image:
    """An image with its pixels in memory. `steps` say whether its EXIF block is needed."""
    if isinstance(item, bytes):
        limits.check_bytes(len(item))
        keeps_exif = any(step.kind == "exif_transpose" for step in steps)
        return _decode(item, limits=limits, keep_exif=keeps_exif)
    return _loaded(item, limits) if isinstance(item, Image.Image) else _from_array(item, limits)


def transform(image: Image.Image, *, steps: Sequence[Step], channels: int, limits: Limits = DEFAULT_LIMITS) -> Pixels:
    """Apply the steps; the resulting array may be read-only."""
    done = apply(steps, image, channels=channels, limits=limits)
    return np.asarray(done).reshape(done.height, done.width, channels)


def _read(path: str | os.PathLike[str], limits: Limits) -> bytes:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):  # reading a pipe or a device might never end
            raise InputError("not a regular file", code="not_a_file")
        limits.check_bytes(found.st_size)
        with open(path, "rb") as file:
            return file.read()
    except InputError:
        raise
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero byte in the name
        raise InputError("no such file", code="not_found") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", code="unreadable") from None


def _decode(data: bytes, *, limits: Limits, keep_exif: bool) -> Image.Image:
    if not data:
        raise InputError("the file is empty", code="empty")
    if not keep_exif and "JPEG" in limits.formats and (image := _decode_jpeg(data, limits)) is not None:
        return image
    return _decode_pillow(data, limits)


def _decode_jpeg(data: bytes, limits: Limits) -> Image.Image | None:
    """A JPEG's pixels by simplejpeg, or None for a file that Pillow should decode instead."""
    if data[:2] != b"\xff\xd8":
        return None
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    limits.check_pixels(width, height)
    if colorspace not in _KEPT:
        return None
    mode, decoded_as, kept_as = _KEPT[colorspace]
    try:
        pixels = simplejpeg.decode_jpeg(data, colorspace=decoded_as, strict=True)
    except ValueError:
        return None
    image = Image.new(mode, (width, height), None)  # not filled with zeros first, as `Image.frombytes` would
    image.frombytes(pixels, "raw", kept_as)
    return image


def _decode_pillow(data: bytes, limits: Limits) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=limits.formats)
        limits.check_pixels(image.width, image.height)
        image.load()
    except InputError:
        raise
    except UnidentifiedImageError:
        message = f"not an image in a known format ({', '.join(limits.formats)})"
        raise InputError(message, code="unknown_format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"too many pixels: {error}", code="too_many_pixels") from None
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, …
        raise InputError(f"cannot be decoded: {error}", code="undecodable") from None
    return image


def _loaded(image: Image.Image, limits: Limits) -> Image.Image:
    if 0 in image.size:
        raise InputError(f"expected pixels, and this image is {image.width} x {image.height}", code="bad_shape")
    limits.check_pixels(image.width, image.height)
    try:
        image.load()
    except Exception as error:
        raise InputError(f"cannot be decoded: {error}", code="undecodable") from None
    return image


def _from_array(array: Any, limits: Limits) -> Image.Image:
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        found = getattr(array, "dtype", type(array).__name__)
        raise InputError(f"expected a path, bytes, a PIL image or a uint8 array, not {found}", code="bad_type")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if 0 in array.shape or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise InputError(
            f"expected an array of [height, width] or [height, width, 1 or 3], not {list(array.shape)}",
            code="bad_shape",
        )
    limits.check_pixels(array.shape[1], array.shape[0])
    return Image.fromarray(np.ascontiguousarray(array))
