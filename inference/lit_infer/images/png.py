"""Arrays as PNG files, of 8 or 16 bits: Pillow writes no 16 bits of colours."""

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
"""By the number of channels what PNG calls them: grey, colours, colours with alpha."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LEVEL = 6
_PALETTE = 3
"""What PNG calls indices of colours."""
_STRIP = 2**22
"""Bytes that are compressed at once."""


def png(array: NDArray[Any]) -> bytes:
    """A PNG of uint8 or uint16 [height, width, channels]: 1 is grey, 3 colours, 4 colours with alpha."""
    if array.dtype == np.uint8:
        file = io.BytesIO()
        image = Image.fromarray(np.ascontiguousarray(array[:, :, 0] if array.shape[2] == 1 else array))
        image.save(file, "PNG", compress_type=zlib.Z_RLE)  # of photographs twice as quick, and no larger
        return file.getvalue()
    height, width, channels = array.shape
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    pressed = zlib.compress(_filtered(array), _LEVEL)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", pressed) + _chunk(b"IEND", b"")


def indexed(indices: NDArray[np.uint8], palette: bytes) -> bytes:
    """A PNG of uint8 [height, width] with the colours of a palette: in strips, so that nothing large is copied."""
    height, width = indices.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _PALETTE, 0, 0, 0)
    parts, press = [], zlib.compressobj(_LEVEL)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        strip = indices[top : top + rows]
        filtered = np.zeros((len(strip), 1 + width), np.uint8)  # each row begins with 0: as it is
        filtered[:, 1:] = strip
        parts.append(press.compress(filtered.tobytes()))
    pressed = b"".join([*parts, press.flush()])
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", pressed), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def base64_text(data: bytes) -> str:
    """A file as JSON has it."""
    return base64.b64encode(data).decode()


def _filtered(array: NDArray[Any]) -> bytes:
    """Rows of big-endian bytes, each less its left neighbour's (PNG's filter 1), which compresses better."""
    height, width, channels = array.shape
    rows = np.ascontiguousarray(array.astype(">u2")).view(np.uint8).reshape(height, width * channels * 2)
    step = 2 * channels
    made = np.empty((height, 1 + rows.shape[1]), np.uint8)
    made[:, 0] = 1
    made[:, 1 : 1 + step] = rows[:, :step]
    np.subtract(rows[:, step:], rows[:, :-step], out=made[:, 1 + step :])
    return made.tobytes()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
