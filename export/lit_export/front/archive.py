"""The archive that torch.save writes: records, each stored once and as it is, with a checksum.

What a file holds in memory is then bounded by its size on the disk.
"""

import stat
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from lit_export.front.plain_values import NotPlainError

_LOCAL = struct.Struct("<4s22xHH")
"""A record's own header: the signature, and the lengths of its name and of what follows it."""


@dataclass(frozen=True)
class Extent:
    """Where bytes are in a file, and the checksum that they were written with."""

    start: int
    size: int
    crc: int | None = None
    """None: none was written, as in the format before torch 1.6."""


def records(file: IO[bytes], archive: zipfile.ZipFile, size: int) -> Mapping[str, Extent]:
    """The records by name below the archive's one folder. Raises NotPlainError for what torch.save does not write."""
    entries = archive.infolist()
    if archive.comment:
        raise NotPlainError("an archive with a comment")
    folders = {entry.filename.partition("/")[0] for entry in entries}
    if len(folders) != 1 or sum(entry.file_size for entry in entries) > size:
        raise NotPlainError("an archive of several folders, or of more than its own size")
    # torch.serialization.set_crc32_options(False) writes zeros
    is_checked = any(entry.CRC for entry in entries)
    found: dict[str, Extent] = {}
    for entry in entries:
        _check_entry(entry)
        name = entry.filename.partition("/")[2]
        if name in found:
            raise NotPlainError("an archive with two records of one name")
        found[name] = _extent(file, entry, crc=entry.CRC if is_checked else None)
    _check_apart(found, size)
    return found


def _extent(file: IO[bytes], entry: zipfile.ZipInfo, *, crc: int | None) -> Extent:
    file.seek(entry.header_offset)
    signature, name, more = _LOCAL.unpack(file.read(_LOCAL.size))
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"record {entry.filename!r} is not where the directory says")
    return Extent(entry.header_offset + _LOCAL.size + name + more, entry.file_size, crc)


def _check_apart(found: Mapping[str, Extent], size: int) -> None:
    """Each record has bytes of its own: several that share them would be large in memory only."""
    end = 0
    for extent in sorted(found.values(), key=lambda one: (one.start, one.size)):
        if extent.start < end and extent.size:
            raise NotPlainError("an archive whose records overlap")
        end = max(end, extent.start + extent.size)
    if end > size:
        raise zipfile.BadZipFile("a record goes beyond the file's end")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    is_stored = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
    if not is_stored or entry.flag_bits & 1:
        raise NotPlainError(f"record {entry.filename!r} is compressed or encrypted")
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(entry.external_attr >> 16) or "\\" in entry.filename:
        raise NotPlainError(f"record {entry.filename!r} points elsewhere")
