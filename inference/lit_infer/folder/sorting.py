"""`--sort-into DIR`: images go to `DIR/label/`, those without a label to `_unknown`, unreadable ones to `_failed`.

An image keeps its path relative to the folder that was searched, so `a/cat.jpg` and `b/cat.jpg` remain two files
and repeating a run gives the same names. A path that could lead out of the folder is changed, and a digest of the
original is added to it.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path, PurePosixPath

from lit_infer.errors import UsageError
from lit_infer.folder.partial import Entry

FAILED, UNKNOWN = "_failed", "_unknown"

_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\%]|^\.")
_LONGEST = 200  # bytes; file systems take 255


class Sorter:
    """Puts images into folders as they are predicted."""

    def __init__(self, folder: Path, *, by: str, root: str, hard_links: bool) -> None:
        """`by`: the column that has the label."""
        self._folder = folder
        self._by = by
        self._root = root
        self._hard_links = hard_links
        self._part = folder / ".part"
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, entry: Entry) -> None:
        """Copy or link one image; one that is missing or unreadable is skipped."""
        image = entry.loaded.image
        if isinstance(image, bytes):
            if entry.loaded.error is not None:
                return
            self._part.write_bytes(image)
        elif not os.access(image, os.R_OK) or not image.is_file():
            return
        elif self._hard_links:
            self._link(image)
        else:
            shutil.copy2(image, self._part)
        self._move(folder_name(entry.row, by=self._by), entry.row["path"])

    def finish(self) -> None:
        """Remove the temporary file."""
        self._part.unlink(missing_ok=True)

    def _link(self, image: Path) -> None:
        self._part.unlink(missing_ok=True)
        try:
            os.link(image.resolve(), self._part)
        except OSError as error:
            raise UsageError(
                f"--hard-links: {image} cannot be linked into {self._folder} ({error.strerror}); leave --hard-links out"
            ) from None

    def _move(self, label: str, path: str) -> None:
        """Move the finished file to its final name."""
        target = self._folder / label / self._name(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._part.replace(target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            # An archive may hold both x.jpg and x.jpg/y.jpg.
            self._part.replace(self._folder / label / marked("image", path))

    def _name(self, path: str) -> PurePosixPath:
        return safe_path(path.removeprefix(f"{self._root}/") if self._root else path)


def folder_name(row: dict[str, object], *, by: str) -> str:
    """The folder for a row: its label, made safe, or `_failed` or `_unknown`."""
    if row["error"] is not None:
        return FAILED
    label = row[by]
    if label is None:
        return UNKNOWN
    text = str(label)
    name = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", text) or "%"
    if name in (FAILED, UNKNOWN):
        return f"%5F{name[1:]}"
    return marked(name[:40], text) if len(os.fsencode(name)) > _LONGEST else name


def safe_path(path: str) -> PurePosixPath:
    """A relative path that stays below its folder. Different paths never become the same."""
    parts = [part for part in path.split("/") if part]
    safe = [_UNSAFE.sub("_", part if len(os.fsencode(part)) <= _LONGEST else part[-40:]) for part in parts]
    if path == "/".join(safe):
        return PurePosixPath(path)
    return PurePosixPath(*safe[:-1], marked(safe[-1] if safe else "_", path))


def marked(name: str, path: str) -> str:
    """A name with a digest of the original path before its suffix: another one for each path."""
    digest = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:12]
    stem, suffix = os.path.splitext(name)
    return f"{stem}-{digest}{suffix}"


def check_empty(folder: Path) -> None:
    """Raise UsageError if the folder holds anything: its files would mix with this run's."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--sort-into {folder} is not an empty folder: name a new one")
