"""Whether an image is quick to decode, by its header alone: a server does not let it wait behind those that are not."""

import simplejpeg

from lit_infer.images import scans

_QUICK = 8_000_000
"""Pixels, times the passes over them: some 50 ms of one core."""
_MOST_BYTES = 2 * 2**20
"""Of a quick image: looking through more would take too long here already."""
_HEADER = 128 * 1024
"""Bytes of a JPEG in which its size stands: behind a thumbnail and a colour profile, but not behind anything."""


def is_quick(data: bytes) -> bool:
    """True for JPEGs and PNGs of a few million pixels. False for larger ones, other formats, and what is neither.

    Takes some 10 µs, and a few milliseconds at most, whatever the bytes are.
    """
    if len(data) > _MOST_BYTES:
        return False
    if data.startswith(b"\xff\xd8"):
        return _pixels_of_jpeg(data) * max(1, scans.at_most(data)) <= _QUICK
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big") <= _QUICK
    return False


def _pixels_of_jpeg(data: bytes) -> int:
    """More than any, if its header cannot be read."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data[:_HEADER])
    except ValueError:
        return _QUICK + 1
    return int(height * width)
