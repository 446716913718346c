"""Files that are complete or absent: temporary name, fsync, rename; and their sha256."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lit_infer.errors import UsageError
from lit_infer.held_file import HeldFile


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hex. Raises ArtifactError for what is no regular file, or mostly holes."""
    with HeldFile(path) as file:
        return file.sha256()


def check_local(path: Path) -> None:
    """Raise UsageError for what was a URL before it became a path: a folder called `s3:` would be made for it."""
    scheme, colon, rest = path.as_posix().partition(":/")
    name = scheme.rpartition("/")[2]
    if colon and len(name) > 1 and name.isalnum() and not Path(f"{scheme}:").exists():
        raise UsageError(
            f"{name}://{rest} is a URL, and results are written to files of this machine: name one, and copy it there"
        )


@contextmanager
def atomic_text(path: Path) -> Iterator[IO[str]]:
    """Write a text file that appears under `path` only when the block ends without an error."""
    check_local(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """A hidden folder beside the final path, removed afterwards unless it was renamed away."""
    check_local(parent)
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=".staging-"))
    folder.chmod(0o777 & ~_umask())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sync_tree(folder: Path) -> None:
    """Flush every file below a folder, and the folders' own entries, to disk."""
    for path in sorted(folder.rglob("*")):
        sync_folder(path) if path.is_dir() else _sync(path, os.O_RDONLY)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush a folder's own entries (renames) to disk."""
    _sync(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's umask; temporary files are private; the final files should not be."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
