"""A file for each image of a run, in a folder: `DIR/a/cat.jpg.png`.

They grow in a folder beside the final one, which takes its place when the run is finished: under their final names
there are only whole files of whole runs. An interrupted run continues in the folder that it has left.
"""

import os
import shutil
import sys
from pathlib import Path

from lit_infer import files
from lit_infer.errors import UsageError
from lit_infer.folder.partial import Entry
from lit_infer.folder.sorting import marked, safe_path

_MARKER, _WORDS = ".lit-infer", "The {} of a run of lit-infer: they replace this folder when it is repeated.\n"


def check(folder: Path, option: str) -> None:
    """Raise UsageError for a folder that holds anything but what an earlier run has made."""
    for path in (folder, _growing(folder)):
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise UsageError(f"{option} {path} is no folder: name another")
        if path.is_dir() and any(path.iterdir()) and not (path / _MARKER).is_file():
            raise UsageError(
                f"{path} is not empty, and no run of lit-infer has made it: name another with {option} DIR"
            )


class FileFolder:
    """Writes what a subclass makes of each image. A part of the run's files (`partial.PartialFile`)."""

    what: str
    """What it holds, in a word."""

    def __init__(self, folder: Path, *, root: str, resume: bool) -> None:
        self.folder = folder
        self._root = root
        self._growing = _growing(folder)
        self._written: list[Path] = []
        if not resume:
            shutil.rmtree(self._growing, ignore_errors=True)
        self._is_left = self._growing.is_dir()
        self._growing.mkdir(parents=True, exist_ok=True)
        (self._growing / _MARKER).write_text(_WORDS.format(self.what))

    def count(self) -> int:
        """It never has less than the rows: it reaches the disk before them. If somebody removed it, there are none."""
        return sys.maxsize if self._is_left else 0

    def keep(self, rows: int) -> None:
        """Files of later rows are written again, with the same bytes."""

    def add(self, entry: Entry) -> None:
        """Take a result."""
        raise NotImplementedError

    def commit(self) -> None:
        """Flush what was added to disk."""
        for path in self._written:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        for folder in {path.parent for path in self._written}:
            files.sync_folder(folder)
        self._written.clear()

    def close(self) -> None:
        """Nothing is open."""

    def finish(self) -> None:
        """Put the folder in the place of the one that an earlier run has made."""
        self.commit()
        old = self.folder.with_name(f".{self.folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.exists():
            self.folder.replace(old)
        self._growing.replace(self.folder)
        files.sync_folder(self.folder.parent)
        shutil.rmtree(old, ignore_errors=True)

    def remove(self) -> None:
        """Of a run that keeps nothing."""
        shutil.rmtree(self._growing, ignore_errors=True)

    def written_as(self, path: str, data: bytes, suffix: str) -> Path:
        """Write the file of the image at `path`; its name in the folder, another one for each image."""
        name = Path(f"{safe_path(path.removeprefix(f'{self._root}/') if self._root else path)}{suffix}")
        try:
            self._write(name, data)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):  # an archive may hold x.png and x.png/y
            name = Path(marked(f"image{suffix}", path))
            self._write(name, data)
        return name

    def _write(self, name: Path, data: bytes) -> None:
        target, part = self._growing / name, self._growing / ".part"
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, target)
        self._written.append(target)


def _growing(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.partial")
