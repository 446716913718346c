"""Images inside `.tar` files (WebDataset shards) and `.zip` files, one after the other, without unpacking.

A member's name is only a label: no file is ever opened or created under it. An archive's headers are not trusted:
none of them can cause more to be read than the limits allow.
"""

import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Self

from lit_infer import zip_directory
from lit_infer.errors import InputError
from lit_infer.folder import search
from lit_infer.folder.skipped import Skipped, is_hidden
from lit_infer.images import SUFFIXES

TAR = (".tar", ".tar.gz", ".tgz")
ZIP = (".zip",)

Read = Callable[[int], bytes]
"""Reads a member of at most that many bytes; a larger one is an InputError. Valid until the next member is taken."""

_LONG_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_MAX_HEADER = 2**20  # bytes of a tar's long names, which tarfile would hold in memory however large
_NO_ENTRIES = b"PK\x05\x06" + bytes(18)  # an empty zip file
_MAX_CLASS = 1000  # bytes of a .cls member


@dataclass(frozen=True, slots=True)
class Member:
    """One image of an archive."""

    name: str
    read: Read
    truth: str | None = None
    """The class's index or label, from the `.cls` member before it."""


def is_archive(name: str) -> bool:
    """Whether a name has the suffix of an archive."""
    return name.lower().endswith((*TAR, *ZIP))


def members(
    file: IO[bytes], name: str, skipped: Skipped | None = None, suffixes: frozenset[str] = SUFFIXES
) -> Iterator[Member]:
    """The images of an open archive, in the archive's order, without hidden ones. Raises InputError if it is damaged.

    What is no image is counted in `skipped`.
    """
    skipped = skipped or Skipped()
    try:
        made = _zip_members if name.lower().endswith(ZIP) else _tar_members
        yield from made(file, skipped, suffixes)
    except InputError:
        raise
    except (
        Exception
    ) as error:  # of a damaged one, tarfile and zipfile raise anything, TypeError and IndexError included
        reason = str(error) or type(error).__name__
        raise InputError(f"the archive is damaged here: {reason}", code="bad_archive") from None


class _TarInfo(tarfile.TarInfo):
    """A header that cannot fill the memory and that reports damage, which tarfile would take for the archive's end."""

    @classmethod
    def fromtarfile(cls, file: tarfile.TarFile) -> Self:
        """The next header. Only the end mark ends the archive."""
        try:
            return super().fromtarfile(file)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """A header's first block. A block that is read as a whole must not be large."""
        info = super().frombuf(buf, encoding, errors)
        if info.type in _LONG_HEADERS and info.size > _MAX_HEADER:
            raise tarfile.ReadError(f"its header of {info.size:,} bytes is too large")
        return info


def _tar_members(file: IO[bytes], skipped: Skipped, suffixes: frozenset[str]) -> Iterator[Member]:
    sample, truth = "", None
    with tarfile.open(fileobj=file, mode="r|*", tarinfo=_TarInfo, errors="surrogateescape") as archive:
        for info in archive:
            if (name := _sample(info.name)) != sample:
                sample, truth = name, None
            if is_hidden(info.name):
                pass
            elif search.is_image(info.name, suffixes):
                yield Member(info.name, lambda limit, info=info: _read_tar(archive, info, limit), truth)  # type: ignore[misc]
            elif info.name.endswith(".cls") and info.isreg() and info.size <= _MAX_CLASS:
                truth = _read_tar(archive, info, _MAX_CLASS).decode(errors="replace").strip()
            elif info.isreg():
                skipped.add(info.name)
            archive.members = []  # type: ignore[attr-defined] # tarfile would keep every header


def _sample(name: str) -> str:
    """What the members of a WebDataset sample share: the name up to the first dot after the last slash."""
    return re.sub(r"\.[^/]*\Z", "", name)


def _read_tar(archive: tarfile.TarFile, info: tarfile.TarInfo, limit: int) -> bytes:
    opened = archive.extractfile(info) if info.isreg() else None
    if opened is None:
        raise InputError("not a regular file", code="not_a_file")
    _check_size(info.size, limit)
    try:
        data = opened.read(limit + 1)
    except Exception as error:  # TarError, EOFError, zlib's and lzma's errors, …
        raise InputError(f"cannot be read: {error}", code="unreadable") from None
    if len(data) != info.size:
        raise InputError("the archive ends in the middle of the file", code="unreadable")
    return data


def _zip_members(file: IO[bytes], skipped: Skipped, suffixes: frozenset[str]) -> Iterator[Member]:
    with zipfile.ZipFile(io.BytesIO(_NO_ENTRIES)) as archive:
        archive.fp = file  # so zipfile reads members, but never a directory that might fill the memory
        for info in zip_directory.entries(file):
            if is_hidden(info.filename):
                continue
            if search.is_image(info.filename, suffixes):
                yield Member(info.filename, lambda limit, info=info: _read_zip(archive, info, limit))  # type: ignore[misc]
            elif not info.filename.endswith("/"):
                skipped.add(info.filename)


def _read_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    if info.flag_bits & 0x1:
        raise InputError("it is encrypted", code="encrypted")
    _check_size(info.file_size, limit)
    try:
        with archive.open(info) as opened:
            data = opened.read(limit + 1)
            opened.read(1)  # the checksum is compared only at the end
    except Exception as error:  # zlib, lzma and bz2 errors, BadZipFile, NotImplementedError, …
        raise InputError(f"cannot be read: {error}", code="unreadable") from None
    _check_size(len(data), limit)
    return data


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise InputError(f"{size:,} bytes; the limit is {limit:,}", code="too_many_bytes")
