"""Find images below a folder, in a stable order, while the listing still goes on.

A folder's entries are sorted by name, sub-folders in their place among the files: the order of sorted paths,
without having to know them all. One folder's names are held at a time.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from lit_infer import images

MAGIC = frozenset("*?[")

_SUFFIXES = tuple(images.SUFFIXES)

Parts = Sequence[str]


@dataclass(frozen=True)
class Search:
    """All images below `root`; with a `pattern`, those that match it or lie in a folder that does."""

    root: Path
    pattern: tuple[str, ...] = ()

    def files(self) -> Iterator[Path | OSError]:
        """Image files, hidden ones left out; an OSError stands for a folder that cannot be listed."""
        for found in _walk(self.root, (), lambda parts: _may_match(parts, self.pattern)):
            if isinstance(found, OSError) or _matches(found.relative_to(self.root).parts, self.pattern):
                yield found

    def first(self) -> Path | OSError | None:
        """Some image, found without sorting; else what stood in the way; None where there is nothing."""
        return _glance(self.root, (), self.pattern)

    def covers(self, path: Path) -> bool:
        """Whether `files` yields this path."""
        if not path.is_relative_to(self.root):
            return False
        parts = path.relative_to(self.root).parts
        hidden = any(part.startswith(".") for part in parts)
        return bool(parts) and not hidden and is_image(path.name) and _matches(parts, self.pattern)

    def __str__(self) -> str:
        return str(self.root.joinpath(*self.pattern)) + ("" if self.pattern else os.sep)


def from_glob(pattern: str) -> Search:
    """A search for a glob (`*`, `?`, `[...]`, and `**` for any number of folders)."""
    parts = Path(pattern).parts
    first = next(place for place, part in enumerate(parts) if MAGIC & set(part))
    return Search(Path(*parts[:first]), parts[first:])


def is_image(name: str) -> bool:
    """Whether a name ends as an image's does."""
    return name.lower().endswith(_SUFFIXES) and os.path.splitext(name)[1] != ""


def suffixes() -> str:
    """What is looked for, for messages."""
    return " ".join(sorted(images.SUFFIXES))


def _walk(folder: Path, inside: tuple[str, ...], enter: Callable[[Parts], bool]) -> Iterator[Path | OSError]:
    try:
        names, folders = _listed(folder)
    except OSError as error:
        yield error
        return
    while names:  # taken off one by one, so that a large folder's names are let go
        name = names.pop()
        if name not in folders:
            yield folder / name
        elif enter((*inside, name)):
            yield from _walk(folder / name, (*inside, name), enter)


def _listed(folder: Path) -> tuple[list[str], set[str]]:
    """Names of images and folders, last first, and which of them are folders. Linked folders are left out."""
    names: list[str] = []
    folders: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:  # perhaps a million: the usual case first
            name = entry.name
            if name[0] == ".":
                continue
            if name.lower().endswith(_SUFFIXES) and (entry.is_file() or not entry.is_dir()):
                names.append(name)
            elif entry.is_dir(follow_symlinks=False):
                names.append(name)
                folders.add(name)
    names.sort(reverse=True)
    return names, folders


def _glance(folder: Path, inside: tuple[str, ...], pattern: Parts) -> Path | OSError | None:
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                parts = (*inside, entry.name)
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders += [entry.name] if not entry.is_symlink() and _may_match(parts, pattern) else []
                elif is_image(entry.name) and _matches(parts, pattern):
                    return folder / entry.name
    except OSError as error:
        return error
    below = (_glance(folder / name, (*inside, name), pattern) for name in folders)
    return next((found for found in below if found is not None), None)


def _matches(parts: Parts, pattern: Parts) -> bool:
    """Whether the path, or a folder above it, matches the whole pattern."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_matches(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _may_match(parts: Parts, pattern: Parts) -> bool:
    """Whether something below this folder may match: the rest need not be listed."""
    if not parts or not pattern or pattern[0] == "**":
        return True
    return fnmatchcase(parts[0], pattern[0]) and _may_match(parts[1:], pattern[1:])
