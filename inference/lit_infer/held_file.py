"""A file that somebody else made, opened once: what is read from it later is what was checked.

Pipes, devices and files that are mostly holes are refused before a byte is read: they would block, or never end.
"""

import errno
import hashlib
import mmap
import os
import stat
from pathlib import Path
from typing import BinaryIO, Self

from lit_infer.errors import ArtifactError, UsageError

_CHUNK = 2**20
_PLAIN = 2**26  # bytes up to which nobody looks for holes
_EXTENTS = 1000  # pieces of data between holes that are counted
_LEAST_SHARE = 64  # at least one byte in so many is stored


class HeldFile:
    """An open regular file. Threads may read it at once; it is closed when nobody holds it any more."""

    def __init__(self, path: Path) -> None:
        """Raises ArtifactError for what is no regular file and FileNotFoundError for a missing one."""
        self.path = path
        self._descriptor = -1
        _check_kind(path, path.stat().st_mode)
        # Between the two somebody may have put a pipe there: without O_NONBLOCK, opening it would wait for ever.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        found = os.fstat(self._descriptor)
        _check_kind(path, found.st_mode)
        self.size = found.st_size
        self._check_holes()

    def __del__(self) -> None:
        """Close it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        """The file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it now."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def sha256(self) -> str:
        """The sha256 of its bytes, in hex."""
        hashed, offset = hashlib.sha256(), 0
        while chunk := os.pread(self._descriptor, _CHUNK, offset):
            hashed.update(chunk)
            offset += len(chunk)
        return hashed.hexdigest()

    def read(self, *, limit: int | None = None) -> bytes:
        """All its bytes. Raises ArtifactError if there are more than `limit`."""
        if limit is not None and self.size > limit:
            raise ArtifactError(f"{self.path} has {self.size:,} bytes; the limit is {limit:,}")
        parts, offset = [], 0
        while chunk := os.pread(self._descriptor, max(_CHUNK, self.size - offset), offset):
            parts.append(chunk)
            offset += len(chunk)
            if limit is not None and offset > limit:  # it grows while it is read
                raise ArtifactError(f"{self.path} has more than {limit:,} bytes")
        return b"".join(parts)

    def region(self, offset: int, length: int) -> bytes:
        """So many bytes from there on; fewer where the file ends before. Any number of threads may ask at once."""
        parts, end = [], offset + length
        while offset < end and (chunk := os.pread(self._descriptor, end - offset, offset)):
            parts.append(chunk)
            offset += len(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def mapped(self) -> mmap.mmap | bytes:
        """All its bytes, without a copy in memory. Writable, as some libraries want them: the file stays as it is."""
        return mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_COPY) if self.size else b""

    def reader(self) -> BinaryIO:
        """Its bytes as an open file, from the start. One reader at a time; the caller closes it."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.fdopen(os.dup(self._descriptor), "rb")

    def stamp(self) -> tuple[int, ...]:
        """Changes when the file is written to."""
        found = os.fstat(self._descriptor)
        return found.st_size, found.st_mtime_ns

    def _check_holes(self) -> None:
        if self.size <= _PLAIN or not hasattr(os, "SEEK_DATA"):
            return
        stored = self._stored()
        if stored < self.size // _LEAST_SHARE:
            raise ArtifactError(
                f"{self.path} has {self.size:,} bytes, of which only {stored:,} are stored: fetch or export it again"
            )

    def _stored(self) -> int:
        """Bytes that are not in holes; a file system without holes stores all of them."""
        stored = offset = 0
        for _ in range(_EXTENTS):
            try:
                start = os.lseek(self._descriptor, offset, os.SEEK_DATA)
                offset = os.lseek(self._descriptor, start, os.SEEK_HOLE)
            except OSError as error:
                return stored if error.errno == errno.ENXIO else self.size  # ENXIO: nothing but a hole follows
            stored += offset - start
            if offset >= self.size:
                return stored
        return self.size


def _check_kind(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path} is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise ArtifactError(f"{path} is {_kind(mode)}, not a regular file: fetch or export it again")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
