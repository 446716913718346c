"""The central directory of a zip file, entry by entry: zipfile would keep all of it, half a kilobyte per entry."""

import struct
import zipfile
from collections.abc import Iterator
from typing import IO

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_MAX_COMMENT = 0xFFFF
_IS_UTF8 = 0x800


def entries(file: IO[bytes]) -> Iterator[zipfile.ZipInfo]:
    """The entries in the directory's order. Raises BadZipFile or struct.error if it is damaged."""
    offset, size, shift = _find(file)
    end = offset + size
    while offset < end:
        file.seek(offset)
        info, length = _entry(file, shift)
        offset += length
        yield info


def _find(file: IO[bytes]) -> tuple[int, int, int]:
    """The directory's offset and size, and by how much all entries are shifted from the offsets that it gives."""
    start = max(0, file.seek(0, 2) - _END.size - _MAX_COMMENT)
    file.seek(start)
    tail = file.read(_END.size + _MAX_COMMENT)
    found = tail.rfind(b"PK\x05\x06")
    if found < 0:
        raise zipfile.BadZipFile("it is not a zip file, or its end is missing")
    size, offset = _END.unpack_from(tail, found)[5:7]
    end = start + found
    if (wide := _find_wide(file, end)) is not None:
        end, size, offset = wide
    shift = end - size - offset  # not 0 if something precedes the archive, as in a self-extracting program
    if shift < 0:
        raise zipfile.BadZipFile("its directory is damaged")
    return offset + shift, size, shift


def _find_wide(file: IO[bytes], end: int) -> tuple[int, int, int] | None:
    """Zip64's end record, if one precedes the plain one: its own offset, then the directory's size and offset."""
    start = end - _LOCATOR64.size - _END64.size
    if start < 0:
        return None
    file.seek(start)
    record = _END64.unpack(file.read(_END64.size))
    if (record[0], file.read(4)) != (b"PK\x06\x06", b"PK\x06\x07"):
        return None
    return start, record[8], record[9]


def _entry(file: IO[bytes], shift: int) -> tuple[zipfile.ZipInfo, int]:
    fields = _ENTRY.unpack(file.read(_ENTRY.size))
    if fields[0] != b"PK\x01\x02":
        raise zipfile.BadZipFile("an entry of its directory is damaged")
    name_length, extra_length, comment_length = fields[12:15]
    name = file.read(name_length).decode("utf-8" if fields[5] & _IS_UTF8 else "cp437", errors="replace")
    info = zipfile.ZipInfo(name)
    info.orig_filename = name
    info.flag_bits, info.compress_type = fields[5], fields[6]
    info.CRC, info.compress_size, info.file_size = fields[9:12]
    info.header_offset = fields[18]
    _apply_zip64(info, file.read(extra_length))
    info.header_offset += shift
    return info, _ENTRY.size + name_length + extra_length + comment_length


def _apply_zip64(info: zipfile.ZipInfo, extra: bytes) -> None:
    """A size that does not fit into 32 bits is in the entry's extra field instead."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        wide, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind != 1:
            continue
        for field in ("file_size", "compress_size", "header_offset"):
            if getattr(info, field) == 0xFFFF_FFFF:
                setattr(info, field, struct.unpack_from("<Q", wide)[0])
                wide = wide[8:]
