"""One pass over a checkpoint's file: its sha256, each record's checksum, and the bytes that are wanted.

The same bytes are hashed, checked and kept, so that nothing can come between. Hashing takes longest and has a thread of
its own: it leaves Python's lock alone, as reading and checking do.
"""

import hashlib
import itertools
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

import numpy as np

from lit_export.front.archive import Extent
from lit_infer.errors import ArtifactError

_BLOCK = 4 << 20
_AHEAD = 4
"""Blocks that are read ahead of the hash; each has a buffer of its own."""


def sweep(
    file: IO[bytes], size: int, extents: Mapping[str, Extent], into: Mapping[str, memoryview], *, where: str
) -> str:
    """Read all of the file, fill `into` by the extents' names, and return the sha256 in hex.

    Raises ArtifactError for a record that is not what was written, and for a file that ends too early.
    """
    digest, records = hashlib.sha256(), _Records(extents, into, where)
    hashed: deque[Future[None]] = deque()
    at = file.seek(0)
    with ThreadPoolExecutor(1) as hashing:
        for block in _blocks(size, extents, into):
            if len(hashed) == _AHEAD:
                hashed.popleft().result()
            if file.readinto(block) != len(block):  # type: ignore[attr-defined] # a file that is read has it
                raise ArtifactError(f"{where} became shorter while it was read")
            hashed.append(hashing.submit(digest.update, block))
            records.take(at, block)
            at += len(block)
    return digest.hexdigest()


def _blocks(size: int, extents: Mapping[str, Extent], into: Mapping[str, memoryview]) -> Iterator[memoryview]:
    """Where to read the file to, in order: large wanted records to their place, all else to buffers in turn."""
    buffers = itertools.cycle([bytearray(min(_BLOCK, size)) for _ in range(_AHEAD + 1)])
    at = 0
    found = ((extents[name].start, wanted) for name, wanted in into.items() if len(wanted) >= _BLOCK // 8)
    large = sorted(found, key=lambda item: item[0])
    for start, wanted in [*large, (size, memoryview(b""))]:
        while at < start:
            block = memoryview(next(buffers))[: start - at]
            yield block
            at += len(block)
        for first in range(0, len(wanted), _BLOCK):
            yield wanted[first : first + _BLOCK]
        at += len(wanted)


class _Records:
    """The records while the file goes by."""

    def __init__(self, extents: Mapping[str, Extent], into: Mapping[str, memoryview], where: str) -> None:
        inner = ((name, extent) for name, extent in extents.items() if extent.size)
        self.left = deque(sorted(inner, key=lambda item: item[1].start))
        self.into, self.where, self.crc = into, where, 0

    def take(self, at: int, block: memoryview) -> None:
        """The block of the file that begins at `at`; blocks come in order."""
        end = at + len(block)
        while self.left and (extent := self.left[0][1]).start < end:
            name, stop = self.left[0][0], extent.start + extent.size
            first = max(at, extent.start)
            part = block[first - at : min(end, stop) - at]
            if extent.crc is not None:
                self.crc = zlib.crc32(part, self.crc)
            if (wanted := self.into.get(name)) is not None:
                _keep(part, wanted[first - extent.start : first - extent.start + len(part)])
            if stop > end:
                break
            self._finish(name, extent)

    def _finish(self, name: str, extent: Extent) -> None:
        if extent.crc is not None and extent.crc != self.crc:
            raise ArtifactError(
                f"{self.where} is damaged: its record {name} does not have the checksum that it was written with. "
                "Copy or download it again"
            )
        self.crc = 0
        self.left.popleft()


def _keep(part: memoryview, wanted: memoryview) -> None:
    """Copy it, unless it was read to where it is wanted."""
    if np.frombuffer(part, np.uint8).ctypes.data != np.frombuffer(wanted, np.uint8).ctypes.data:
        wanted[:] = part
