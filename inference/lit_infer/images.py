"""From an image, wherever it is, to the uint8 array that the graph takes: read, decode, resize, crop.

The pixels are those that the training transform (torchvision v2 on PIL images) makes, bit for bit. JPEG is
decoded by simplejpeg, twice as fast as Pillow with the same pixels; everything it declines goes to Pillow,
which is what training used and so has the last word.
"""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from msgspec import UNSET
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lit_infer.errors import InputError
from lit_infer.manifest import CenterCrop, Resize, Step

ImageInput = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
Pixels = NDArray[np.uint8]  # [height, width, channels]

# What a folder is searched for, and the only decoders that are ever tried on a file's bytes.
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")

_MODES = {1: "L", 3: "RGB"}
_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


@dataclass(frozen=True)
class Limits:
    """How large an input may be; checked before anything is decoded."""

    max_bytes: int = 64 * 2**20
    max_pixels: int = 50_000_000


DEFAULT_LIMITS = Limits()


def prepare(item: ImageInput, *, steps: Sequence[Step], channels: int, limits: Limits = DEFAULT_LIMITS) -> Pixels:
    """One image as uint8 [height, width, channels], preprocessed as in training.

    `item`: a path, an encoded image's bytes, a PIL image, or a uint8 array [height, width(, channels)], RGB.
    Raises InputError, with a stable `code`, for what cannot be read or is over a limit.
    """
    keeps_exif = any(step.exif_transpose is not UNSET for step in steps)
    image = _open(item, limits=limits, keep_exif=keeps_exif)
    for step in steps:
        image = _apply(step, image, channels=channels, limits=limits)
    pixels = np.asarray(_converted(image, channels))
    return pixels.reshape(image.height, image.width, channels)


def _open(item: ImageInput, *, limits: Limits, keep_exif: bool) -> Image.Image:
    if isinstance(item, str | os.PathLike):
        item = _read(Path(item), limits)
    if isinstance(item, bytes):
        if len(item) > limits.max_bytes:
            raise InputError(f"{len(item):,} bytes; the limit is {limits.max_bytes:,}", code="too_many_bytes")
        return _decode(item, limits=limits, keep_exif=keep_exif)
    if isinstance(item, Image.Image):
        if 0 in item.size:
            raise InputError(f"expected pixels, and this image is {item.width} x {item.height}", code="bad_shape")
        _check_pixels(item.width, item.height, limits)
        try:
            item.load()
        except Exception as error:
            raise InputError(f"cannot be decoded: {error}", code="undecodable") from None
        return item
    return _from_array(item, limits)


def _read(path: Path, limits: Limits) -> bytes:
    try:
        if not path.is_file():
            code = "not_a_file" if path.exists() else "not_found"
            raise InputError("not a regular file" if path.exists() else "no such file", code=code)
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise InputError(f"{size:,} bytes; the limit is {limits.max_bytes:,}", code="too_many_bytes")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", code="unreadable") from None


def _decode(data: bytes, *, limits: Limits, keep_exif: bool) -> Image.Image:
    if not data:
        raise InputError("the file is empty", code="empty")
    if not keep_exif and (image := _decode_jpeg(data, limits)) is not None:
        return image
    return _decode_pillow(data, limits)


def _decode_jpeg(data: bytes, limits: Limits) -> Image.Image | None:
    """A JPEG's pixels by simplejpeg, or None for whatever Pillow should judge instead."""
    if data[:2] != b"\xff\xd8":
        return None
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    _check_pixels(width, height, limits)
    wanted = {"YCbCr": "RGB", "Gray": "GRAY"}.get(colorspace)
    if wanted is None:
        return None
    try:
        pixels = simplejpeg.decode_jpeg(data, colorspace=wanted, strict=True)
    except ValueError:
        return None
    return Image.fromarray(pixels if wanted == "RGB" else pixels[:, :, 0])


def _decode_pillow(data: bytes, limits: Limits) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_pixels(image.width, image.height, limits)
        image.load()
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(f"not an image in a known format ({', '.join(FORMATS)})", code="unknown_format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"too many pixels: {error}", code="too_many_pixels") from None
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, …
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
    _check_pixels(array.shape[1], array.shape[0], limits)
    return Image.fromarray(np.ascontiguousarray(array))


def _apply(step: Step, image: Image.Image, *, channels: int, limits: Limits) -> Image.Image:
    if step.exif_transpose is not UNSET:
        try:
            return ImageOps.exif_transpose(image)
        except Exception as error:
            raise InputError(f"its EXIF block cannot be read: {error}", code="undecodable") from None
    image = _converted(image, channels)  # the training loader converts before the transform runs
    if step.resize is not UNSET:
        return _resize(image, step.resize, limits)
    assert step.center_crop is not UNSET  # noqa: S101 - a Step has exactly one field
    return _center_crop(image, step.center_crop)


def _converted(image: Image.Image, channels: int) -> Image.Image:
    mode = _MODES[channels]
    if image.mode == mode:
        return image
    if isinstance(image.info.get("transparency"), bytes):
        image = image.copy()
        del image.info["transparency"]
    return image.convert(mode)


def _resize(image: Image.Image, resize: Resize, limits: Limits) -> Image.Image:
    """`torchvision.transforms.v2.functional.resize` of a PIL image, in its arithmetic."""
    if isinstance(resize.size, tuple):
        height, width = resize.size
    else:
        short, long = sorted(image.size)
        longer = int(resize.size * long / short)
        width, height = (resize.size, longer) if image.width <= image.height else (longer, resize.size)
    if (width, height) == image.size:
        return image
    _check_pixels(width, height, limits)
    return image.resize((width, height), resample=_RESAMPLING[resize.interpolation])


def _center_crop(image: Image.Image, crop: CenterCrop) -> Image.Image:
    """`torchvision.transforms.v2.functional.center_crop` of a PIL image: padded with zeros, then cut."""
    height, width = crop.height_width
    pad_left, pad_top = max(width - image.width, 0) // 2, max(height - image.height, 0) // 2
    # Python rounds halves to even, and so does torchvision, being Python here.
    left = -pad_left if width > image.width else round((image.width - width) / 2.0)
    top = -pad_top if height > image.height else round((image.height - height) / 2.0)
    return image.crop((left, top, left + width, top + height))


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        message = f"{width} x {height} pixels; the limit is {limits.max_pixels:,}"
        raise InputError(message, code="too_many_pixels")
