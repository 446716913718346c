"""From an image, in any form, to the uint8 array that the graph takes: read, decode, transform.

The pixels are those that the training transform (torchvision v2 on PIL images) makes, bit for bit. JPEG is
decoded by simplejpeg, twice as fast as Pillow with the same pixels; everything it refuses goes to Pillow,
which training used and which therefore decides.
"""

import importlib.util
import os
import stat
import time
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from lit_infer.errors import InputError, LitError
from lit_infer.images.decoders import DECODERS, STORED
from lit_infer.images.header import check_scans, open_header
from lit_infer.images.limits import DEFAULT_LIMITS, FORMATS, Limits
from lit_infer.images.notes import noticed
from lit_infer.images.pictures import Picture, in_dtype, to_array, upright_size
from lit_infer.images.preprocess import Step, dtype, reading
from lit_infer.images.resampling import kernel
from lit_infer.images.steps import apply
from lit_infer.images.values import MOST_CHANNELS

__all__ = [
    "DEFAULT_LIMITS",
    "EVERY_SUFFIX",
    "FORMATS",
    "SUFFIXES",
    "ImageInput",
    "Limits",
    "Pixels",
    "decode",
    "prepare",
    "prepare_noted",
    "read",
    "suffixes",
    "transform",
    "turns",
]

ImageInput = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | NDArray[Any]
Pixels = NDArray[Any]  # [height, width, channels], of uint8, or of uint16 or float32 where the steps say so

# The files that a folder is searched for.
SUFFIXES = frozenset(
    ".avif .bmp .gif .jfif .jpe .jpeg .jpg .pgm .png .ppm .tif .tiff .webp".split()  # noqa: SIM905 - a line
) | (frozenset({".heic", ".heif"}) if importlib.util.find_spec("pillow_heif") else frozenset())

_ARRAYS = frozenset({".npy"})
EVERY_SUFFIX = SUFFIXES | _ARRAYS
"""Of the files that some model can read."""

# By a JPEG's colour space: the image's mode, and the layout in which Pillow keeps such pixels, so that it only copies
# them: simplejpeg's name for it, and Pillow's.
_KEPT = {"YCbCr": ("RGB", "RGBX", "RGBX"), "Gray": ("L", "GRAY", "L")}
_OF_ARRAYS = {"RGB": "RGB", "L": "GRAY"}


def prepare(item: ImageInput, *, steps: Sequence[Step], channels: int, limits: Limits = DEFAULT_LIMITS) -> Pixels:
    """One image as [height, width, channels], preprocessed as in training: uint8, unless the steps say otherwise.

    `item`: a path, an encoded image's bytes or an open file of them, a PIL image, or an array
    [height, width(, channels)]: uint8 in RGB, or whatever the files hold where they are read unchanged.
    Raises InputError, with a stable `code`, for what cannot be read or is over a limit.
    """
    return prepare_noted(item, steps=steps, channels=channels, limits=limits)[0]


def prepare_noted(
    item: ImageInput, *, steps: Sequence[Step], channels: int, limits: Limits = DEFAULT_LIMITS
) -> tuple[Pixels, tuple[float, float, float], tuple[str, ...], tuple[int, int]]:
    """As `prepare`, with the milliseconds that reading, decoding and transforming took, and the names of its notes.

    Last the (width, height) of the image before its steps, upright if they turn it: what `to_original` starts from.
    """
    started = time.perf_counter()
    data = read(item, limits=limits)
    read_at = time.perf_counter()
    image = decode(data, steps=steps, limits=limits)
    noted = noticed(data, image, turns=turns(steps), read=reading(steps))
    decoded_at = time.perf_counter()
    pixels = transform(image, steps=steps, channels=channels, limits=limits)
    done_at = time.perf_counter()
    took = ((read_at - started) * 1e3, (decoded_at - read_at) * 1e3, (done_at - decoded_at) * 1e3)
    return pixels, took, noted, upright_size(image, turns=turns(steps))


def read(item: ImageInput, *, limits: Limits = DEFAULT_LIMITS) -> bytes | Picture:
    """The bytes behind a path, of an open file or of another kind of bytes; anything else unchanged."""
    if isinstance(item, str | os.PathLike):
        return _read(item, limits)
    if isinstance(item, bytearray | memoryview):
        return _copied(item, limits)
    return _read_open(item, limits) if hasattr(item, "read") else item


def decode(item: bytes | Picture, *, steps: Sequence[Step], limits: Limits = DEFAULT_LIMITS) -> Picture:
    """An image with its pixels in memory. `steps` say how it is read, and whether its EXIF block is needed."""
    read = reading(steps)
    if isinstance(item, bytes):
        limits.check_bytes(len(item))
        if read is not None and read.library in DECODERS:
            return DECODERS[read.library](_not_empty(item), read, limits)
        return _decode(item, limits=limits, keep_exif=turns(steps), as_array=read is None and kernel.is_built())
    if isinstance(item, Image.Image):
        return _loaded(item, limits)
    return _as_stored(item, limits) if read is not None and read.mode == "unchanged" else _from_array(item, limits)


def suffixes(steps: Sequence[Step]) -> frozenset[str]:
    """Of the files that a folder is searched for: those that the steps can read."""
    read = reading(steps)
    return _ARRAYS if read is not None and read.library == "numpy" else SUFFIXES


def turns(steps: Sequence[Step]) -> bool:
    """Whether images are turned upright: then the EXIF block is needed, which only a slower decoder reads."""
    return any(step.kind == "exif_transpose" for step in steps)


def transform(image: Picture, *, steps: Sequence[Step], channels: int, limits: Limits = DEFAULT_LIMITS) -> Pixels:
    """Apply the steps; the resulting array may be read-only."""
    try:
        done = to_array(apply(steps, image, channels=channels, limits=limits))
    except LitError:
        raise
    except Exception as error:  # Pillow converts between most modes, not all, and pads only what fits into memory
        raise InputError(f"cannot be converted: {_reason(error)}", code="undecodable") from None
    if done.shape[2] != channels:
        message = f"has {done.shape[2]} channels after preprocessing; the model takes {channels}"
        raise InputError(message, code="bad_shape")
    return in_dtype(done, dtype(steps))


def _copied(item: bytearray | memoryview, limits: Limits) -> bytes:
    view = memoryview(item)
    if view.itemsize != 1:
        raise InputError(f"expected bytes, not a memoryview of {view.format!r}", code="bad_type")
    limits.check_bytes(view.nbytes)
    return bytes(view)


def _read_open(file: Any, limits: Limits) -> bytes:
    """What is left of an open file; it is not closed."""
    try:
        data = file.read(limits.max_bytes + 1)
    except Exception as error:  # a file object may be anybody's: a response, a pipe, a closed file
        raise InputError(f"cannot be read: {_reason(error)}", code="unreadable") from None
    if not isinstance(data, bytes):
        message = f"expected a file opened in binary mode ('rb'); this one gives {type(data).__name__}"
        raise InputError(message, code="bad_type")
    limits.check_bytes(len(data))
    return data


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
        raise InputError(_missing(os.fspath(path)), code="not_found") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", code="unreadable") from None


def _missing(path: str) -> str:
    if "://" in path or path.startswith("data:"):
        return "a URL, and only paths are opened: fetch it and give its bytes, or name it to lit-infer"
    return "no such file"


def _decode(data: bytes, *, limits: Limits, keep_exif: bool, as_array: bool) -> Picture:
    _not_empty(data)
    if not keep_exif and "JPEG" in limits.formats:
        image = _decode_jpeg(data, limits, as_array=as_array)
        if image is not None:
            return image
    return _decode_pillow(data, limits)


def _not_empty(data: bytes) -> bytes:
    if not data:
        raise InputError("the file is empty", code="empty")
    return data


def _decode_jpeg(data: bytes, limits: Limits, *, as_array: bool) -> Picture | None:
    """A JPEG's pixels by simplejpeg, or None for a file that Pillow should decode instead.

    The kernel takes arrays as they are; Pillow takes images, whose pixels have four bytes.
    """
    if data[:2] != b"\xff\xd8":
        return None
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    limits.check_pixels(width, height)
    limits.check_ratio(width, height, len(data))
    check_scans(data, width, height, limits)
    if colorspace not in _KEPT:
        return None
    mode, decoded_as, kept_as = _KEPT[colorspace]
    try:
        pixels: NDArray[Any] = simplejpeg.decode_jpeg(
            data, colorspace=_OF_ARRAYS[mode] if as_array else decoded_as, strict=True
        )
    except ValueError:
        return None
    if as_array:
        return pixels
    image = Image.new(mode, (width, height), None)  # not filled with zeros first, as `Image.frombytes` would
    image.frombytes(pixels, "raw", kept_as)
    return image


def _decode_pillow(data: bytes, limits: Limits) -> Image.Image:
    try:
        image = open_header(data, limits)
        image.load()
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, …
        raise InputError(f"cannot be decoded: {_reason(error)}", code="undecodable") from None
    return image


def _reason(error: Exception) -> str:
    """One line, also for errors without words, such as MemoryError."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _loaded(image: Image.Image, limits: Limits) -> Image.Image:
    if 0 in image.size:
        raise InputError(f"expected pixels, and this image is {image.width} x {image.height}", code="bad_shape")
    limits.check_pixels(image.width, image.height)
    try:
        image.load()
    except Exception as error:
        raise InputError(f"cannot be decoded: {_reason(error)}", code="undecodable") from None
    return image


def _from_array(array: Any, limits: Limits) -> Image.Image:
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        found = getattr(array, "dtype", type(array).__name__)
        message = f"expected a path, bytes, an open file, a PIL image or a uint8 array, not {found}"
        raise InputError(message, code="bad_type")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if 0 in array.shape or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise InputError(
            f"expected an array of [height, width] or [height, width, 1 or 3], not {list(array.shape)}",
            code="bad_shape",
        )
    limits.check_pixels(array.shape[1], array.shape[0])
    return Image.fromarray(np.ascontiguousarray(array))


def _as_stored(array: Any, limits: Limits) -> NDArray[Any]:
    """An array as a file that is read unchanged would give it."""
    if not isinstance(array, np.ndarray) or array.dtype not in STORED:
        found = getattr(array, "dtype", type(array).__name__)
        raise InputError(
            f"expected a path, bytes, a PIL image or an array of {', '.join(STORED)}, not {found}", code="bad_type"
        )
    array = array[:, :, None] if array.ndim == 2 else array
    if array.ndim != 3 or 0 in array.shape or array.shape[2] > MOST_CHANNELS:
        raise InputError(f"expected an array of [height, width(, channels)], not {list(array.shape)}", code="bad_shape")
    limits.check_pixels(array.shape[1], array.shape[0])
    kept: NDArray[Any] = array
    return kept
