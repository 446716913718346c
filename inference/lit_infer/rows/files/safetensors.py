"""`.safetensors`: a header in JSON, then the arrays as they are in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lit_infer.errors import InputError
from lit_infer.held_file import HeldFile
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.files.numpy_files import opened
from lit_infer.rows.files.stored import ArrayFile, PlainArray
from lit_infer.rows.files.wanted import RowReader, Wanted

_MOST_HEADER = 100_000_000  # the format's own limit
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}


class _Entry(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def _arrays(held: HeldFile, wanted: Wanted) -> ArrayFile:
    """The arrays of a file that was looked through: each lies within it and has the bytes of its shape."""
    size = int.from_bytes(held.region(0, 8), "little")
    if held.size < 8 or size > min(_MOST_HEADER, held.size - 8):
        raise InputError("it is no safetensors file: its header does not fit in it", code="damaged")
    try:
        header = msgspec.json.decode(held.region(8, size), type=dict[str, Any])
        header.pop("__metadata__", None)
        entries = msgspec.convert(header, type=dict[str, _Entry])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"it is no safetensors file ({error})", code="damaged") from None
    if not entries:
        raise InputError("it holds no arrays", code="empty")
    known = {*map(wanted.source, wanted.fields.names), *wanted.keep}
    readable = {name: entry for name, entry in entries.items() if name in known or entry.dtype in _DTYPES}
    return ArrayFile({name: _array(held, name, entry, 8 + size) for name, entry in readable.items()})


def _array(held: HeldFile, name: str, entry: _Entry, start: int) -> PlainArray:
    if entry.dtype not in _DTYPES:
        raise InputError(f"{name} is {entry.dtype}, which numpy has no dtype for", code="bad_dtype")
    dtype = np.dtype(_DTYPES[entry.dtype])
    array = PlainArray(held, start + entry.data_offsets[0], dtype, tuple(entry.shape))
    if min(entry.shape, default=0) < 0 or entry.data_offsets[0] < 0:
        raise InputError(f"{name} has the shape {entry.shape}", code="damaged")
    if entry.data_offsets[1] - entry.data_offsets[0] != dtype.itemsize * int(np.prod(entry.shape, dtype=np.int64)):
        raise InputError(f"{name} does not have the bytes of its shape", code="damaged")
    return array


def _blocks(path: Path, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    with opened(path) as held:
        yield from _arrays(held, wanted).blocks(wanted, size)


def _count(path: Path, wanted: Wanted) -> int:
    with opened(path) as held:
        return _arrays(held, wanted).count(wanted)


READER = RowReader(blocks=_blocks, count=_count)
