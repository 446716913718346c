"""`.npy` and `.npz`: what numpy saves. Arrays that were saved uncompressed are read in place."""

import math
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from lit_infer import zip_directory
from lit_infer.errors import ArtifactError, InputError
from lit_infer.held_file import HeldFile
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.files.stored import ArrayFile, PlainArray, StoredArray
from lit_infer.rows.files.wanted import RowReader, Wanted

_MOST_ARRAYS = 1000
_MOST_UNPACKED = 2**30
_LOCAL = struct.Struct("<4s5H3L2H")
_NAMELESS = {"arr_0"}
"""What numpy calls an array that was saved without a name."""


class PackedArray:
    """A compressed array of an `.npz`: unpacked as far as it has been asked for, from its first row on."""

    def __init__(self, file: IO[bytes]) -> None:
        self.dtype, self.shape, self._is_fortran = _header(file)
        self._file = file
        self._next = 0
        self._all: NDArray[Any] | None = None

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Some of its rows. One that was saved column by column is unpacked as a whole."""
        if self._is_fortran and len(self.shape) > 1:
            if self._all is None:
                self._all = self._read(self.shape[::-1]).transpose()
            return np.ascontiguousarray(self._all[start:stop])
        if start != self._next:
            raise ValueError(f"rows {self._next} are next, not {start}")
        self._next = stop
        return self._read((stop - start, *self.shape[1:]))

    def _read(self, shape: tuple[int, ...]) -> NDArray[Any]:
        size = math.prod(shape) * self.dtype.itemsize
        if size > _MOST_UNPACKED:  # a small file may say that it unpacks to anything
            raise InputError(f"it would unpack {size:,} bytes at once: save it with np.savez", code="too_large")
        try:
            data = self._file.read(size)
        except Exception as error:  # zlib, lzma and bz2 errors, BadZipFile, …
            raise InputError(f"the file is damaged ({error})", code="damaged") from None
        if len(data) != size:
            raise InputError("the file ends before its array does", code="truncated")
        return np.frombuffer(data, dtype=self.dtype).reshape(shape)


def _npy_blocks(path: Path, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    with opened(path) as held:
        yield from _npy(held).blocks(wanted, size)


def _npz_blocks(path: Path, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    with opened(path) as held, held.reader() as file:
        yield from _npz(held, file).blocks(wanted, size)


def _npy_count(path: Path, wanted: Wanted) -> int:
    with opened(path) as held:
        return _npy(held).count(wanted)


def _npz_count(path: Path, wanted: Wanted) -> int:
    with opened(path) as held, held.reader() as file:
        return _npz(held, file).count(wanted)


@contextmanager
def opened(path: Path) -> Iterator[HeldFile]:
    """A file of rows, held open. Raises InputError for what is no regular file."""
    try:
        held = HeldFile(path)
    except FileNotFoundError:
        raise InputError("no such file", code="not_found") from None
    except (ArtifactError, OSError) as error:
        raise InputError(getattr(error, "strerror", None) or str(error), code="unreadable") from None
    with held:
        yield held


def _npy(held: HeldFile) -> ArrayFile:
    with held.reader() as file:
        return ArrayFile({_NAME: _plain(held, file)}, is_nameless=True)


_NAME = "the array"


def _npz(held: HeldFile, file: IO[bytes]) -> ArrayFile:
    try:
        entries = [info for info in _entries(file) if info.file_size]
        # One for all: each remembers where it has read to, and they share the file.
        archive = zipfile.ZipFile(file)
        arrays = {info.filename.removesuffix(".npy"): _stored(held, file, archive, info) for info in entries}
    except (zipfile.BadZipFile, struct.error, ValueError, EOFError, NotImplementedError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"it is no .npz file ({error})", code="damaged") from None
    if not arrays:
        raise InputError("it holds no arrays", code="empty")
    return ArrayFile(arrays, is_nameless=set(arrays) == _NAMELESS)


def _entries(file: IO[bytes]) -> Iterator[zipfile.ZipInfo]:
    for number, info in enumerate(zip_directory.entries(file)):
        if number >= _MOST_ARRAYS:
            raise InputError(f"it holds more than {_MOST_ARRAYS} arrays", code="damaged")
        yield info


def _stored(held: HeldFile, file: IO[bytes], archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> StoredArray:
    if info.flag_bits & 0x1:
        raise InputError(f"{info.filename} is encrypted", code="encrypted")
    if info.compress_type != zipfile.ZIP_STORED:
        return cast(StoredArray, PackedArray(archive.open(info.filename)))
    local = _LOCAL.unpack(held.region(info.header_offset, _LOCAL.size))
    if local[0] != b"PK\x03\x04":
        raise zipfile.BadZipFile("an entry is damaged")
    file.seek(info.header_offset + _LOCAL.size + local[9] + local[10])
    return _plain(held, file)


def _plain(held: HeldFile, file: IO[bytes]) -> PlainArray:
    dtype, shape, is_fortran = _header(file)
    return PlainArray(held, file.tell(), dtype, shape, is_fortran)


def _header(file: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """What the head of an array says. Raises InputError for objects, which only code could read."""
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"version {version[0]}.{version[1]} of the format")
        shape, is_fortran, dtype = read(file)
    except InputError:
        raise
    except Exception as error:  # numpy, zlib and struct each raise their own
        raise InputError(f"it is no array of numpy's ({error})", code="damaged") from None
    if dtype.hasobject:
        raise InputError("it holds Python objects, not numbers", code="bad_dtype")
    if any(side < 0 for side in shape):
        raise InputError(f"its shape is {list(shape)}", code="damaged")
    return dtype, shape, is_fortran


NPY = RowReader(blocks=_npy_blocks, count=_npy_count)
NPZ = RowReader(blocks=_npz_blocks, count=_npz_count)
