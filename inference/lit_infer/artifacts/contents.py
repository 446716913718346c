"""The files of the folder registry's versions: copied in, stored once, verified.

A collection keeps one hard link to each different file under `.contents/<sha256>`. An equal file of a later version
becomes another link to it. The registry links only its own copies, never a user's file: training overwrites those.
"""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lit_infer import files
from lit_infer.artifacts.records import File
from lit_infer.errors import ArtifactError, UsageError

FOLDER = ".contents"

_CHUNK = 1 << 20


def take(source: Path, stage: Path, *, known: Path) -> dict[str, File]:
    """Copy the regular files below a folder to `stage/files`, linking those that are known, all of them read-only."""
    contents = {}
    for path in sorted(source.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise UsageError(f"{path} is not a regular file: an artifact holds only regular files")
        if path.is_file():
            name = path.relative_to(source).as_posix()
            copied = stage / "files" / name
            copied.parent.mkdir(parents=True, exist_ok=True)
            contents[name] = _copy(path, copied)
            _share(copied, known / contents[name].sha256, stage / "link")
    if not contents:
        raise UsageError(f"{source} holds no files to publish")
    return contents


def verify(folder: Path, contents: Mapping[str, File]) -> None:
    """Check that a folder holds exactly these files, byte for byte."""
    entries = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    found = {path.relative_to(folder).as_posix() for path in entries}
    if found != set(contents):
        different = ", ".join(sorted(found ^ set(contents)))
        raise ArtifactError(f"{folder}: files were added or removed since it was published: {different}")
    for name, file in contents.items():
        path = folder / name
        if path.is_symlink() or path.stat().st_size != file.bytes or files.sha256(path) != file.sha256:
            raise ArtifactError(f"{path} was changed since it was published; publish it again")


def _copy(source: Path, to: Path) -> File:
    """Copy one file; the digest is of the bytes that were written, whatever happens to the source in the meantime."""
    hashed, size = hashlib.sha256(), 0
    with source.open("rb") as reading, to.open("xb") as writing:
        while chunk := reading.read(_CHUNK):
            hashed.update(chunk)
            size += writing.write(chunk)
    to.chmod(to.stat().st_mode & 0o555)
    return File(sha256=hashed.hexdigest(), bytes=size)


def _share(copied: Path, known: Path, link: Path) -> None:
    """Replace the copy by a link to the known file with the same bytes, or make it the known file."""
    # Without links (the file system has none, another user owns the file) every version keeps its copy.
    with suppress(OSError):
        if known.is_file() and files.sha256(known) == known.name:  # somebody may have changed it in place
            os.link(known, link)
            link.replace(copied)
            return
        known.parent.mkdir(exist_ok=True)
        known.unlink(missing_ok=True)
        os.link(copied, known)
