"""Files that something other than Pillow turns into pixels, where training read them so: a table, `DECODERS`."""

import io
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import InputError, LitError, require
from lit_infer.images.header import open_header
from lit_infer.images.limits import Limits
from lit_infer.images.resampling.by_opencv import opencv
from lit_infer.images.values import MOST_CHANNELS, ReadImage

Decode = Callable[[bytes, ReadImage, Limits], NDArray[Any]]
"""The bytes of a file, how to read it, what it may have at most -> [height, width, channels]."""

STORED = ("uint8", "uint16", "float32")
"""The dtypes that pictures have."""


@contextmanager
def _undecodable() -> Any:
    """What a decoder raises for a damaged file is that file's error."""
    try:
        yield
    except LitError:
        raise
    except Exception as error:  # every decoder has its own
        raise InputError(f"cannot be decoded: {' '.join(str(error).split())[:200]}", code="undecodable") from None


def _by_opencv(data: bytes, read: ReadImage, limits: Limits) -> NDArray[Any]:
    """As `cv2.imread` and, of colours, `cv2.cvtColor(…, COLOR_BGR2RGB)`."""
    cv2 = opencv()
    with _undecodable():
        open_header(data, limits)
        flags = {"rgb": cv2.IMREAD_COLOR, "gray": cv2.IMREAD_GRAYSCALE, "unchanged": cv2.IMREAD_UNCHANGED}
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flags[read.mode])
        if found is None:
            raise InputError("cannot be decoded by OpenCV", code="undecodable")
        array = found[:, :, None] if found.ndim == 2 else found
        rgb: NDArray[Any] = array[:, :, [2, 1, 0, 3][: array.shape[2]]] if array.shape[2] >= 3 else array
        return rgb


def _by_tifffile(data: bytes, read: ReadImage, limits: Limits) -> NDArray[Any]:
    """As `tifffile.imread`, with the bands last."""
    tifffile = require("tifffile", extra="tiff", purpose="TIFF files of many bands")
    with _undecodable(), tifffile.TiffFile(io.BytesIO(data)) as file:
        series = file.series[0]
        layout = read.layout or ("chw" if len(series.shape) == 3 and series.axes.endswith("YX") else "hwc")
        _check_shape(series.shape, layout, limits)
        limits.check_ratio(*_sides(series.shape, layout)[:2], len(data))
        return _bands_last(series.asarray(), layout)


def _by_numpy(data: bytes, read: ReadImage, limits: Limits) -> NDArray[Any]:
    """As `numpy.load` of a `.npy` file; objects are not loaded."""
    layout = read.layout or "hwc"
    with _undecodable():
        header = io.BytesIO(data)
        version = np.lib.format.read_magic(header)
        shape, _, dtype = (
            np.lib.format.read_array_header_1_0(header)
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0(header)
        )
        if dtype.hasobject or int(np.prod(shape, dtype=np.float64)) * dtype.itemsize > len(data):
            raise InputError("is no array of numbers in full", code="undecodable")
        _check_shape(shape, layout, limits)
        return _bands_last(np.load(io.BytesIO(data), allow_pickle=False), layout)


def _check_shape(shape: tuple[int, ...], layout: str, limits: Limits) -> None:
    if len(shape) not in (2, 3) or 0 in shape:
        raise InputError(f"expected [height, width] or three sides, not {list(shape)}", code="bad_shape")
    height, width, channels = _sides(shape, layout)
    if channels > MOST_CHANNELS:
        raise InputError(f"has {channels} channels; the limit is {MOST_CHANNELS}", code="bad_shape")
    limits.check_pixels(width, height)


def _sides(shape: tuple[int, ...], layout: str) -> tuple[int, int, int]:
    if len(shape) == 2:
        return shape[0], shape[1], 1
    return (shape[1], shape[2], shape[0]) if layout == "chw" else (shape[0], shape[1], shape[2])


def _bands_last(array: NDArray[Any], layout: str) -> NDArray[Any]:
    """[height, width, channels] of a dtype that pictures have."""
    if array.ndim == 2:
        array = array[:, :, None]
    elif layout == "chw":
        array = np.moveaxis(array, 0, 2)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if str(native.dtype) not in STORED:
        raise InputError(f"holds {native.dtype} values, and not {', '.join(STORED)}", code="bad_type")
    return native


DECODERS: dict[str, Decode] = {"opencv": _by_opencv, "tifffile": _by_tifffile, "numpy": _by_numpy}
"""By the library that the step names; Pillow's is in `pixels`."""
