"""Find images below a folder, in a stable order, while the listing is still going on.

A folder's entries are sorted by name, with sub-folders among the files: the order of sorted paths, without having
to know them all. Only one folder's names are held at a time, in sorted runs of a few thousand names, each a single
string; the runs are merged as names are taken. A million names take 20 MB, and the first one is available at once.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from heapq import merge
from pathlib import Path

from lit_infer import images
from lit_infer.folder.skipped import Skipped

MAGIC = frozenset("*?[")

_RUN = 20_000  # names

Parts = Sequence[str]


@dataclass(frozen=True)
class Search:
    """All images below `root`; with a `pattern`, those that match it or are in a folder that does."""

    root: Path
    pattern: tuple[str, ...] = ()
    suffixes: frozenset[str] = field(default=images.SUFFIXES, repr=False)
    """Of the files that are images."""

    def files(self, skipped: Skipped | None = None) -> Iterator[Path | OSError]:
        """Image files, without hidden ones; an OSError stands for a folder that cannot be listed.

        What matches and is no image is counted in `skipped`.
        """
        for found in _walk(self, self.root, (), skipped):
            if not self.pattern or isinstance(found, OSError) or self._picks(found):
                yield found

    def count(self) -> int:
        """About how many images `files` yields, counted without holding names or asking the disk about each file."""
        return _count(self, self.root, ())

    def first(self) -> Path | OSError | None:
        """Any image, found without sorting; if there is none, the error that prevented the search, or None."""
        return _glance(self, self.root, ())

    def covers(self, path: Path) -> bool:
        """Whether `files` yields this path."""
        if not path.is_relative_to(self.root):
            return False
        parts = path.relative_to(self.root).parts
        hidden = any(part.startswith(".") for part in parts)
        return bool(parts) and not hidden and is_image(path.name, self.suffixes) and _matches(parts, self.pattern)

    def _picks(self, path: Path) -> bool:
        return _matches(path.relative_to(self.root).parts, self.pattern)

    def __str__(self) -> str:
        return str(self.root.joinpath(*self.pattern)) + ("" if self.pattern else os.sep)


def from_glob(pattern: str) -> Search:
    """A search for a glob (`*`, `?`, `[...]`, and `**` for any number of folders)."""
    parts = Path(pattern).parts
    first = next(index for index, part in enumerate(parts) if MAGIC & set(part))
    return Search(Path(*parts[:first]), parts[first:])


def is_image(name: str, suffixes: Collection[str] = images.SUFFIXES) -> bool:
    """Whether a name has the suffix of an image."""
    return os.path.splitext(name)[1].lower() in suffixes


def _walk(search: Search, folder: Path, inside: tuple[str, ...], skipped: Skipped | None) -> Iterator[Path | OSError]:
    try:
        runs, folders, is_linked = _listed(search, folder, _counter(inside, search.pattern, skipped))
    except OSError as error:
        yield error
        return
    for name in merge(*map(_names, runs)):
        if name in folders:
            if _may_match((*inside, name), search.pattern):
                yield from _walk(search, folder / name, (*inside, name), skipped)
        elif not (is_linked and (folder / name).is_dir()):
            yield folder / name


def _counter(inside: tuple[str, ...], pattern: Parts, skipped: Skipped | None) -> Callable[[str], object] | None:
    """What is told of each name in a folder that is no image."""
    if skipped is None:
        return None
    return lambda name: skipped.add(name) if _matches((*inside, name), pattern) else None


def _listed(search: Search, folder: Path, other: Callable[[str], object] | None) -> tuple[list[str], set[str], bool]:
    """Names of images and folders, in runs; which are folders; whether any image is a link (perhaps to a folder)."""
    runs: list[str] = []
    names: list[str] = []
    folders: set[str] = set()
    is_linked = False
    for entry, is_folder in _entries(search, folder, other):
        names.append(entry.name)
        if is_folder:
            folders.add(entry.name)
        else:
            is_linked = is_linked or entry.is_symlink()
        if len(names) == _RUN:
            runs.append("/".join(sorted(names)))
            names.clear()
    return [*runs, "/".join(sorted(names))], folders, is_linked


def _names(run: str) -> Iterator[str]:
    """The names of a run, made one at a time."""
    start = 0
    while start < len(run):
        end = run.find("/", start)
        end = len(run) if end < 0 else end
        yield run[start:end]
        start = end + 1


def _entries(
    search: Search, folder: Path, other: Callable[[str], object] | None = None
) -> Iterator[tuple[os.DirEntry[str], bool]]:
    """Entries with an image's name, and folders (True). There may be a million, so the disk is not asked about each.

    `other` is called with every other name.
    """
    ends = tuple(search.suffixes)
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            if entry.is_dir(follow_symlinks=False):
                yield entry, True
            elif name.lower().endswith(ends):
                yield entry, False
            elif other is not None and not (entry.is_symlink() and os.path.isdir(entry.path)):
                other(name)


def _count(search: Search, folder: Path, inside: tuple[str, ...]) -> int:
    total, pattern = 0, search.pattern
    try:
        for entry, is_folder in _entries(search, folder):
            parts = (*inside, entry.name)
            if not is_folder:
                total += _matches(parts, pattern)
            elif _may_match(parts, pattern):
                total += _count(search, folder / entry.name, parts)
    except OSError:
        pass  # `files` yields the error
    return total


def _glance(search: Search, folder: Path, inside: tuple[str, ...]) -> Path | OSError | None:
    folders: list[str] = []
    pattern = search.pattern
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                parts = (*inside, entry.name)
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders += [entry.name] if not entry.is_symlink() and _may_match(parts, pattern) else []
                elif is_image(entry.name, search.suffixes) and _matches(parts, pattern):
                    return folder / entry.name
    except OSError as error:
        return error
    below = (_glance(search, folder / name, (*inside, name)) for name in folders)
    return next((found for found in below if found is not None), None)


def _matches(parts: Parts, pattern: Parts) -> bool:
    """Whether the path, or a folder above it, matches the whole pattern."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_matches(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _may_match(parts: Parts, pattern: Parts) -> bool:
    """Whether something below this folder may match; if not, it need not be listed."""
    if not parts or not pattern or pattern[0] == "**":
        return True
    return fnmatchcase(parts[0], pattern[0]) and _may_match(parts[1:], pattern[1:])
