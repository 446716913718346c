"""Images inside `.tar` (WebDataset shards) and `.zip` files, one after the other, without unpacking.

A member's name is a label and nothing else: no file is ever opened or made under it. What an archive says
of itself is not believed: no header makes it read more than the limits allow.
"""

import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Self

from lit_infer import search
from lit_infer.errors import InputError

TAR = (".tar", ".tar.gz", ".tgz")
ZIP = (".zip",)

Read = Callable[[int], bytes]
"""Reads a member: at most that many bytes, more is an InputError. Good until the next member is asked for."""

_MAX_HEADER = 2**20  # of a tar's long names, which tarfile would hold in memory whatever their size
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")  # a zip's central directory, entry by entry


@dataclass(frozen=True, slots=True)
class Member:
    """One image of an archive."""

    name: str
    read: Read


def is_archive(name: str) -> bool:
    """Whether a name ends as an archive's does."""
    return name.lower().endswith((*TAR, *ZIP))


def members(file: IO[bytes], name: str) -> Iterator[Member]:
    """The images of an open archive, in the archive's order. Raises InputError where it is damaged."""
    try:
        yield from _zip_members(file) if name.lower().endswith(ZIP) else _tar_members(file)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, struct.error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the archive is damaged here: {error}", code="bad_archive") from None


class _TarInfo(tarfile.TarInfo):
    """A header that may not fill the memory, and whose damage is told: tarfile takes it for the archive's end."""

    @classmethod
    def fromtarfile(cls, file: tarfile.TarFile) -> Self:
        """The next header. Only the end mark is the end."""
        try:
            return super().fromtarfile(file)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None

    def _proc_member(self, file: tarfile.TarFile) -> tarfile.TarInfo:
        long = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE)
        if self.type in (*long, tarfile.SOLARIS_XHDTYPE) and self.size > _MAX_HEADER:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        return super()._proc_member(file)  # type: ignore[misc, no-any-return]


def _tar_members(file: IO[bytes]) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r|*", tarinfo=_TarInfo, errors="surrogateescape") as archive:
        for info in archive:
            if search.is_image(info.name):
                yield Member(info.name, lambda limit, info=info: _read_tar(archive, info, limit))  # type: ignore[misc]
            archive.members = []  # type: ignore[attr-defined] # tarfile would keep every header


def _read_tar(archive: tarfile.TarFile, info: tarfile.TarInfo, limit: int) -> bytes:
    opened = archive.extractfile(info) if info.isreg() else None
    if opened is None:
        raise InputError("not a regular file", code="not_a_file")
    _check_size(info.size, limit)
    try:
        data = opened.read(limit + 1)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"cannot be read: {error}", code="unreadable") from None
    if len(data) != info.size:
        raise InputError("the archive ends in the middle of it", code="unreadable")
    return data


class _ZipFile(zipfile.ZipFile):
    """A zip file that does not hold its directory in memory: half a kilobyte for each entry otherwise."""

    def _RealGetContents(self) -> None:  # noqa: N802 - zipfile's name
        pass


def _zip_members(file: IO[bytes]) -> Iterator[Member]:
    with _ZipFile(file) as archive:
        for info in zip_directory(file):
            if search.is_image(info.filename):
                yield Member(info.filename, lambda limit, info=info: _read_zip(archive, info, limit))  # type: ignore[misc]


def zip_directory(file: IO[bytes]) -> Iterator[zipfile.ZipInfo]:
    """The entries of a zip's central directory, read one at a time."""
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined] # finds zip64's end record too
    if not end:
        raise zipfile.BadZipFile("it is no zip file, or its end is missing")
    size, offset, location = end[5], end[6], end[9]
    shift = location - size - offset - (76 if end[0] == b"PK\x06\x06" else 0)  # of an archive with something before it
    place, stop = offset + shift, offset + shift + size
    while place < stop:
        file.seek(place)
        info, length = _zip_entry(file, shift)
        place += length
        yield info


def _zip_entry(file: IO[bytes], shift: int) -> tuple[zipfile.ZipInfo, int]:
    fields = _ENTRY.unpack(file.read(_ENTRY.size))
    if fields[0] != b"PK\x01\x02":
        raise zipfile.BadZipFile("an entry of its directory is damaged")
    name_length, extra_length, comment_length = fields[12:15]
    raw = file.read(name_length)
    name = raw.decode("utf-8" if fields[5] & 0x800 else "cp437", errors="replace")
    info = zipfile.ZipInfo(name)
    info.orig_filename = name
    info.flag_bits, info.compress_type = fields[5], fields[6]
    info.CRC, info.compress_size, info.file_size = fields[9:12]
    info.header_offset = fields[18]
    _apply_zip64(info, file.read(extra_length))
    info.header_offset += shift
    return info, _ENTRY.size + name_length + extra_length + comment_length


def _apply_zip64(info: zipfile.ZipInfo, extra: bytes) -> None:
    """Where a size does not fit 32 bits, it stands in the entry's extra field instead."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        wide, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind != 1:
            continue
        for field in ("file_size", "compress_size", "header_offset"):
            if getattr(info, field) == 0xFFFF_FFFF:
                setattr(info, field, struct.unpack_from("<Q", wide)[0])
                wide = wide[8:]


def _read_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    if info.flag_bits & 0x1:
        raise InputError("it is encrypted", code="encrypted")
    _check_size(info.file_size, limit)
    try:
        with archive.open(info) as opened:
            data = opened.read(limit + 1)
            opened.read(1)  # at the end, and only there, the checksum is compared
    except Exception as error:  # zlib, lzma and bz2 have errors of their own, BadZipFile, NotImplementedError, …
        raise InputError(f"cannot be read: {error}", code="unreadable") from None
    _check_size(len(data), limit)
    return data


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise InputError(f"{size:,} bytes; the limit is {limit:,}", code="too_many_bytes")
