"""Downloaded artifacts, kept by their digest: a version is downloaded once, and checked every time it is used.

    $LIT_CACHE/<digest>/record.json     each file's sha256 and size, as they were when the download was verified
    $LIT_CACHE/<digest>/files/model.ckpt

An entry is staged next to its final path and renamed when it is complete, so any number of processes may fetch at once.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from lit_infer import files
from lit_infer.errors import ArtifactError

_STALE_S = 24 * 3600  # a staging folder as old as this belongs to a process that was killed


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    bytes: int


def cache_root() -> Path:
    """`$LIT_CACHE`, else `lit-deploy` in the user's cache folder."""
    if named := os.environ.get("LIT_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lit-deploy"


def lookup(digest: str) -> Path | None:
    """The verified files of an artifact; None where it is not here. An entry that was changed on disk is removed."""
    entry = cache_root() / digest
    if not os.path.lexists(entry):
        return None
    if not entry.is_symlink():
        _check_owner(entry)
    if _is_whole(entry):
        return entry / "files"
    _remove(entry)
    return None


@contextmanager
def staging() -> Iterator[Path]:
    """A fresh folder to download into, which `add` makes an entry."""
    root = cache_root()
    _remove_stale(root)
    with files.staging_folder(root) as folder:
        (folder / "files").mkdir()
        yield folder


def add(staged: Path, digest: str) -> Path:
    """Make a verified staging folder the entry of its digest; one that another process has made meanwhile stays."""
    for folder in (staged, *(path for path in staged.rglob("*") if path.is_dir())):
        folder.chmod(folder.stat().st_mode & ~0o022)  # whatever the umask says
    record = {}
    for path in sorted(path for path in (staged / "files").rglob("*") if path.is_file()):
        path.chmod(0o444)  # nothing may write into what others rely on
        record[path.relative_to(staged / "files").as_posix()] = _File(files.sha256(path), path.stat().st_size)
    (staged / "record.json").write_bytes(msgspec.json.encode(record))
    files.sync_tree(staged)
    entry = cache_root() / digest
    if lookup(digest) is None:
        with suppress(OSError):  # another process was first; what it left is checked below
            staged.rename(entry)
    found = lookup(digest)
    if found is None:
        raise ArtifactError(f"{entry} cannot be written. Set LIT_CACHE to another folder")
    files.sync_folder(entry.parent)
    return found


def _check_owner(entry: Path) -> None:
    """Someone else could have written the files and their record alike: only this user and root are trusted."""
    found = entry.lstat()
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o002:
        whose = "is writable by every user" if found.st_mode & 0o002 else "belongs to another user"
        raise ArtifactError(f"{entry} {whose}, so its files are not trusted. Set LIT_CACHE to a folder of your own")


def _is_whole(entry: Path) -> bool:
    if entry.is_symlink() or (entry / "files").is_symlink():
        return False
    try:
        record = msgspec.json.decode((entry / "record.json").read_bytes(), type=dict[str, _File])
        return _found(entry / "files") == set(record) and all(_is(entry / "files" / n, f) for n, f in record.items())
    except (OSError, msgspec.MsgspecError):
        return False


def _found(folder: Path) -> set[str]:
    entries = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.relative_to(folder).as_posix() for path in entries}


def _is(path: Path, recorded: _File) -> bool:
    is_regular = path.is_file() and not path.is_symlink()
    return is_regular and path.stat().st_size == recorded.bytes and files.sha256(path) == recorded.sha256


def _remove(entry: Path) -> None:
    """Rename an entry away in one step, then delete it, so that nobody finds half of it."""
    with files.staging_folder(entry.parent) as away, suppress(FileNotFoundError):
        entry.rename(away / "removed")


def _remove_stale(root: Path) -> None:
    for folder in root.glob(".staging-*"):
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > _STALE_S:
                shutil.rmtree(folder, ignore_errors=True)
