"""Open a checkpoint file as torch.save packs it: an archive of records, or the older run of pickles.

Anything else is refused by name. Inside an archive every record must be stored as it is (torch.save never
compresses), once, and within the file: what a file holds in memory is then bounded by its size on the disk.
"""

import io
import itertools
import stat
import struct
import zipfile
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO, Any

from lit_export import diagnosis, file_kind, outline
from lit_export.plain_values import NotPlainError, TensorOutline
from lit_infer.errors import ArtifactError, NotFoundError, UsageError

_MAGIC = 0x1950A86A20F9469CFC6C  # opens the older format
_PICKLE_LIMIT = 64 << 20
"""A checkpoint's pickle takes about 200 bytes per tensor; the tensors' values are in other records."""


def read_outline(file: IO[bytes], *, where: str) -> Any:
    """The checkpoint's contents as `outline.read` gives them. Raises ArtifactError for what is not a checkpoint."""
    head = file.read(64)
    size = file.seek(0, 2)
    file.seek(0)
    if (other := file_kind.other_kind(head, where)) is not None:
        raise ArtifactError(other)
    try:
        contents = _archive(file, size, where) if head.startswith(b"PK") else _older(file, size, where)
        found = list(itertools.islice(outline.foreign(contents), 20))
    except NotPlainError as error:
        raise ArtifactError(f"{where} is not as torch.save writes it, and is refused: {error}") from None
    except (EOFError, ValueError, LookupError, AttributeError, struct.error, zipfile.BadZipFile, OSError) as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(file_kind.damaged(where, size, error)) from None
    except (TypeError, NotImplementedError, RecursionError, MemoryError) as error:
        raise ArtifactError(file_kind.damaged(where, size, error)) from None
    if found:
        raise ArtifactError(diagnosis.foreign(where, found))
    return contents


def open_file(path: Path, *, where: str) -> BufferedReader:
    """The checkpoint's file: opened once, so that what is checked, hashed and loaded are the same bytes."""
    try:
        if path.is_dir():
            raise UsageError(file_kind.folder(path))
        if (found := file_kind.shard(path)) is not None and path.exists():
            raise UsageError(found)
        if path.exists() and not path.is_file():
            raise UsageError(f"{where} is not a file")
        return path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"no checkpoint at {where}{_beside(path)}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _beside(path: Path) -> str:
    """The checkpoints that are in the same folder, for a mistyped name."""
    try:
        found = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix in (".ckpt", ".pt", ".pth"))
    except OSError:
        return ""
    return diagnosis.nearest(path.name, found) or (f". {path.parent}/ has {diagnosis.names(found)}" if found else "")


def scalar(file: IO[bytes], tensor: Any) -> float | None:
    """The value of a tensor of one float32 or float64, read from its archive's record; None for any other."""
    form = {"Float": "<f", "Double": "<d"}.get(tensor.kind) if isinstance(tensor, TensorOutline) else None
    if form is None or tensor.storage is None or tensor.storage.count != 1:
        return None
    file.seek(0)
    if not zipfile.is_zipfile(file):
        return None
    with zipfile.ZipFile(file) as archive:
        folder = archive.namelist()[0].partition("/")[0]
        return float(struct.unpack(form, archive.read(f"{folder}/data/{tensor.storage.key}"))[0])


def _archive(file: IO[bytes], size: int, where: str) -> Any:
    with zipfile.ZipFile(file) as archive:
        if (found := file_kind.other_archive(archive.namelist(), where)) is not None:
            raise ArtifactError(found)
        records = _records(archive, size)
        if records["data.pkl"] > _PICKLE_LIMIT:
            raise NotPlainError(f"its pickle has {records['data.pkl']} bytes")
        folder = archive.namelist()[0].partition("/")[0]
        pickled = io.BytesIO(archive.read(f"{folder}/data.pkl"))
        return outline.read(pickled, records=records, limit=size)


def _records(archive: zipfile.ZipFile, size: int) -> Mapping[str, int]:
    """The records' sizes by name below the archive's one folder."""
    entries = archive.infolist()
    if archive.comment:
        raise NotPlainError("an archive with a comment")
    folders = {entry.filename.partition("/")[0] for entry in entries}
    if len(folders) != 1 or sum(entry.file_size for entry in entries) > size:
        raise NotPlainError("an archive of several folders, or of more than its own size")
    for entry in entries:
        _check_entry(entry)
    found = {entry.filename.partition("/")[2]: entry.file_size for entry in entries}
    if len(found) != len(entries):
        raise NotPlainError("an archive with two records of one name")
    return found


def _check_entry(entry: zipfile.ZipInfo) -> None:
    stored = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
    if not stored or entry.flag_bits & 1:
        raise NotPlainError(f"record {entry.filename!r} is compressed or encrypted")
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(entry.external_attr >> 16) or "\\" in entry.filename:
        raise NotPlainError(f"record {entry.filename!r} points elsewhere")


def _older(file: IO[bytes], size: int, where: str) -> Any:
    """Magic number, version, a word on the machine, the contents, the storages' keys; then the storages."""
    first = outline.read(file, records={}, limit=size)
    if first != _MAGIC:
        raise ArtifactError(file_kind.raw_pickle(where, first))
    for _ in ("version", "machine"):
        outline.read(file, records={}, limit=size)
    contents = outline.read(file, records=None, limit=size)
    keys = outline.read(file, records={}, limit=size)
    if not isinstance(keys, list) or {s.key for s in outline.storages(contents)} - {k for k in keys if type(k) is str}:
        raise NotPlainError("its storages are not all in the file")
    return contents
