"""Several encoded images that are answered together, as one piece: as queues, limits and processes pass on an image."""

import struct
from collections.abc import Sequence

from lit_infer.errors import InputError
from lit_infer.images.work import is_quick

_LENGTH = struct.Struct(">Q")


def packed(images: Sequence[bytes]) -> bytes:
    """The images one after the other, each behind its length."""
    return b"".join(part for image in images for part in (_LENGTH.pack(len(image)), image))


def unpacked(data: bytes, names: Sequence[str]) -> dict[str, bytes]:
    """The images by their names. Raises InputError for what is not as many."""
    return dict(zip(names, _parts(data, len(names)), strict=True))


def are_quick(data: bytes, count: int) -> bool:
    """Whether all of so many images are quick to decode, by their headers alone. `count`: 0 for one that is alone."""
    if not count:
        return is_quick(data)
    try:
        return all(map(is_quick, _parts(data, count)))
    except InputError:
        return True


def _parts(data: bytes, count: int) -> list[bytes]:
    found, start = [], 0
    for _ in range(count):
        begin = start + _LENGTH.size
        if begin > len(data):
            raise _wrong(count)
        (length,) = _LENGTH.unpack_from(data, start)
        start = begin + length
        if start > len(data):
            raise _wrong(count)
        found.append(data[begin:start])
    if start != len(data):
        raise _wrong(count)
    return found


def _wrong(count: int) -> InputError:
    return InputError(f"the model takes {count} images for each answer", code="bad_row")
