"""Open a checkpoint file as torch.save packs it: an archive of records, or the older run of pickles.

Anything else is refused by name. Only the pickle is read here; where the tensors' values are is told by extents.
"""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

from lit_export.front import archive, diagnosis, file_kind, outline
from lit_export.front.archive import Extent
from lit_export.front.plain_values import Budget, NotPlainError, Storage, TensorOutline, TooMuchError
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from lit_infer.held_file import HeldFile

_MAGIC = 0x1950A86A20F9469CFC6C  # opens the older format
_PICKLE_LIMIT = 2 << 30
"""A checkpoint's pickle takes about 200 bytes per tensor; but arrays of numpy's are inside it."""
_HELD = 8 << 20
_FORMS = {"Float": "f", "Double": "d", "Long": "q", "Int": "i", "Half": "e"}


@dataclass(frozen=True)
class UnpackedFile:
    """What is in a checkpoint's file."""

    size: int
    contents: Any
    """Plain values, with outlines of tensors and placeholders of objects."""
    extents: Mapping[str, Extent]
    """Where the records are. A storage's values are at `data/KEY`."""
    order: Literal["<", ">"] = "<"
    """The byte order of the tensors' values."""

    @property
    def is_checked(self) -> bool:
        """Whether the records were written with checksums."""
        return any(extent.crc is not None for extent in self.extents.values())


def read(file: IO[bytes], *, where: str) -> UnpackedFile:
    """The checkpoint's contents as `outline.read` gives them. Raises ArtifactError for what is not a checkpoint."""
    head = file.read(512)
    size = file.seek(0, 2)
    file.seek(0)
    if (other := file_kind.other_kind(head, where)) is not None:
        raise ArtifactError(other)
    try:
        return _archive(file, size, where) if head.startswith(b"PK") else _older(file, size, where)
    except TooMuchError as error:
        raise ArtifactError(f"{where} is refused: {error}") from None
    except NotPlainError as error:
        raise ArtifactError(f"{where} is not as torch.save writes it, and is refused: {error}") from None
    except ArtifactError:
        raise
    except (EOFError, ValueError, LookupError, AttributeError, struct.error, zipfile.BadZipFile, OSError) as error:
        raise ArtifactError(file_kind.damaged(where, size, error)) from None
    except (TypeError, NotImplementedError, RecursionError, MemoryError, OverflowError) as error:
        raise ArtifactError(file_kind.damaged(where, size, error)) from None


def open_file(path: Path, *, where: str) -> BinaryIO:
    """The checkpoint's file: opened once, so that what is checked, hashed and loaded are the same bytes."""
    try:
        if path.is_dir():
            raise UsageError(file_kind.folder(path))
        if (found := file_kind.shard(path)) is not None and path.exists():
            raise UsageError(found)
        if path.exists() and not path.is_file():
            raise UsageError(f"{where} is not a file")
        return HeldFile(path).reader()
    except ArtifactError:
        raise
    except FileNotFoundError:
        if path.is_symlink():
            raise NotFoundError(f"{where} is a link to {os.readlink(path)}, which is not there") from None
        raise NotFoundError(f"no checkpoint at {where}{_beside(path)}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _beside(path: Path) -> str:
    """The checkpoints that are in the same folder, for a mistyped name."""
    try:
        found = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix in file_kind.SUFFIXES)
    except OSError:
        return ""
    near = diagnosis.nearest(path.name, found)
    return f".{near}" if near else (f". {path.parent}/ has {diagnosis.names(found)}" if found else "")


def number(file: IO[bytes], packed: UnpackedFile, tensor: Any) -> float | None:
    """The value of a tensor of one number, read from the file; None for any other."""
    if not isinstance(tensor, TensorOutline) or tensor.form != "strided" or tensor.storage is None:
        return None
    form, extent = _FORMS.get(tensor.kind), packed.extents.get(f"data/{tensor.storage.key}")
    if form is None or extent is None or any(side != 1 for side in tensor.shape):
        return None
    width = struct.calcsize(f"{packed.order}{form}")
    file.seek(extent.start + tensor.offset * width)
    return float(struct.unpack(f"{packed.order}{form}", file.read(width))[0])


def _archive(file: IO[bytes], size: int, where: str) -> UnpackedFile:
    with zipfile.ZipFile(file) as opened:
        if (found := file_kind.other_archive(opened.namelist(), where)) is not None:
            raise ArtifactError(found)
        extents = archive.records(file, opened, size)
    order = _record(file, extents["byteorder"]) if "byteorder" in extents else b"little"
    if order not in (b"little", b"big"):
        raise NotPlainError("a byte order that is none")
    sizes = {name: extent.size for name, extent in extents.items()}
    pickled = extents["data.pkl"]
    contents = outline.read(_pickle(file, pickled), records=sizes, limit=pickled.size)
    return UnpackedFile(size, contents, extents, "<" if order == b"little" else ">")


def _pickle(file: IO[bytes], extent: Extent) -> Any:
    """The pickle, to be read. A large one is not held in memory, since what it says may be refused soon."""
    if extent.size <= _HELD:
        return io.BytesIO(_record(file, extent))
    if extent.size > _PICKLE_LIMIT:
        raise TooMuchError(f"its pickle has {extent.size:,} bytes")
    file.seek(extent.start)
    left, found = extent.size, 0
    while left and (part := file.read(min(left, _HELD))):
        left, found = left - len(part), zlib.crc32(part, found)
    if left or (extent.crc is not None and found != extent.crc):
        raise zipfile.BadZipFile("Bad CRC-32 of its pickle")
    file.seek(extent.start)
    return _Within(file, extent.size)


def _record(file: IO[bytes], extent: Extent) -> bytes:
    """A small record. Its checksum is compared before anything is made of it."""
    if extent.size > _HELD:
        raise TooMuchError(f"a record has {extent.size:,} bytes")
    file.seek(extent.start)
    found = file.read(extent.size)
    if len(found) != extent.size or (extent.crc is not None and zlib.crc32(found) != extent.crc):
        raise zipfile.BadZipFile("Bad CRC-32 of its pickle")
    return found


class _Within:
    """A file that is never asked for more bytes than it has: a damaged length would take memory for them."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left, self.size = file, size, size

    def tell(self) -> int:
        return self.size - self.left

    def read(self, count: int = -1) -> bytes:
        found = self.file.read(min(count, self.left) if count >= 0 else self.left)
        self.left -= len(found)
        return found

    def readline(self) -> bytes:
        found = self.file.readline(min(self.left, 1 << 20))
        self.left -= len(found)
        return found


def _older(file: IO[bytes], size: int, where: str) -> UnpackedFile:
    """Magic number, version, a word on the machine, the contents, the storages' keys; then the storages."""
    within: Any = _Within(file, size)
    budget = Budget(size)

    stored: dict[str, Storage] = {}

    def next_value(records: Mapping[str, int] | None) -> Any:
        return outline.read(within, records=records, limit=size, budget=budget, stored=stored)

    try:
        first = next_value({})
    except TooMuchError:
        raise
    except NotPlainError:  # torch.save begins with a plain number
        raise ArtifactError(file_kind.raw_pickle(where, {})) from None
    if first != _MAGIC:
        raise ArtifactError(file_kind.raw_pickle(where, first))
    next_value({})
    machine = next_value({})
    contents, keys = next_value(None), next_value({})
    if not isinstance(keys, list) or set(stored) - {key for key in keys if type(key) is str}:
        raise NotPlainError("its storages are not all in the file")
    is_big = isinstance(machine, dict) and machine.get("little_endian") is False
    extents = _followed(file, keys, stored, size, order="big" if is_big else "little")
    return UnpackedFile(size, contents, extents, ">" if is_big else "<")


def _followed(
    file: IO[bytes], keys: list[Any], stored: Mapping[str, Storage], size: int, *, order: Literal["little", "big"]
) -> Mapping[str, Extent]:
    """Where the storages are that follow the pickles: each its count of elements, and the elements."""
    at, found = file.tell(), {}
    for key in keys:
        if (storage := stored.get(key)) is None:
            raise NotPlainError("a storage that nothing refers to")
        file.seek(at)
        count = int.from_bytes(file.read(8), order)
        if count != storage.count:
            raise NotPlainError(f"storage {key[:40]} should have {storage.count} elements and has {count}")
        found[f"data/{key}"] = Extent(at + 8, storage.bytes)
        at += 8 + storage.bytes
    if at > size:
        raise EOFError("it ends before its tensors")
    return found
