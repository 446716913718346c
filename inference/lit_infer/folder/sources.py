"""Where images come from: the kinds of arguments, and the images of each, one by one in a stable order.

Nothing is collected first: the first image is available while a folder of a million is still being listed.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import IO, Protocol

from lit_infer.errors import InputError
from lit_infer.folder import archives, cloud, video
from lit_infer.folder.cloud import Remote
from lit_infer.folder.search import MAGIC, Search
from lit_infer.folder.skipped import Skipped
from lit_infer.images import SUFFIXES

Content = Path | Mapping[str, Path] | Remote | archives.Read | InputError


@dataclass(frozen=True, slots=True)
class Item:
    """One image, or several that are answered together, before it is read.

    `name` goes into its row; it is a label, never a path to write to.
    """

    name: str
    content: Content
    truth: str | None = None
    """The class's index or label, if its source gives it."""
    seconds: float | None = None
    """Of a frame: when it is shown."""
    images: Mapping[str, str | None] | None = None
    """Of several images: their paths as the row has them, by name."""


class ImageSource(Protocol):
    """One argument of the command."""

    def items(self) -> Iterator[Item]:
        """The images, in a stable order."""
        ...

    def count(self) -> int | None:
        """How many there are; None if that would take reading them."""
        ...


@dataclass(frozen=True, slots=True)
class FileSource:
    """A single file, with any suffix."""

    path: Path

    def items(self) -> Iterator[Item]:
        """The file itself."""
        yield Item(self.path.as_posix(), self.path)

    def count(self) -> int:
        """One."""
        return 1


@dataclass(frozen=True, slots=True)
class Folder:
    """The images below a folder, or those that a glob matches."""

    search: Search
    skipped: Skipped = field(default_factory=Skipped, compare=False, repr=False)

    def items(self) -> Iterator[Item]:
        """Sorted within each folder; a folder that cannot be listed is an item with an error."""
        self.skipped.clear()
        for found in self.search.files(self.skipped):
            if isinstance(found, Path):
                yield Item(found.as_posix(), found)
            else:
                reason = InputError(f"the folder cannot be listed: {found.strerror}", code="unlistable")
                yield Item(Path(found.filename).as_posix(), reason)

    def count(self) -> int:
        """Counted by listing everything."""
        return self.search.count()


@dataclass(frozen=True, slots=True)
class Listed:
    """A file with one path or URL per line, or standard input (`path` is None). Repeats are kept."""

    path: Path | None

    def items(self) -> Iterator[Item]:
        """Line by line, as they arrive."""
        if self.path is None:
            yield from map(_named, split_lines(sys.stdin.buffer))
            return
        with self.path.open("rb") as file:
            yield from map(_named, split_lines(file))

    def count(self) -> int | None:
        """Counted by reading the file; standard input can be read only once."""
        if self.path is None:
            return None
        with self.path.open("rb") as file:
            return sum(1 for _ in split_lines(file))


@dataclass(frozen=True, slots=True)
class Archive:
    """The images in a tar or zip file, on disk or at a URL."""

    name: str
    skipped: Skipped = field(default_factory=Skipped, compare=False, repr=False)
    suffixes: frozenset[str] = field(default=SUFFIXES, repr=False)

    def items(self) -> Iterator[Item]:
        """In the archive's order. If it is damaged, the last item carries the error."""
        self.skipped.clear()
        yield from self._items(self.skipped)

    def _items(self, skipped: Skipped) -> Iterator[Item]:
        try:
            with _open(self.name) as file:
                for member in archives.members(file, self.name, skipped, self.suffixes):
                    yield Item(f"{self.name}/{member.name}", member.read, member.truth)
        except (InputError, OSError) as error:
            reason = error if isinstance(error, InputError) else InputError(str(error), code="unreadable")
            yield Item(self.name, reason)

    def count(self) -> int | None:
        """Counted from a zip's directory; a tar would have to be read."""
        if not self.name.lower().endswith(archives.ZIP) or cloud.is_url(self.name):
            return None
        return sum(1 for _ in self._items(Skipped()))


@dataclass(frozen=True, slots=True)
class Bucket:
    """The images below a URL, or those that a URL's glob matches."""

    url: str
    skipped: Skipped = field(default_factory=Skipped, compare=False, repr=False)
    suffixes: frozenset[str] = field(default=SUFFIXES, repr=False)

    def items(self) -> Iterator[Item]:
        """Sorted within each folder."""
        self.skipped.clear()
        return (Item(url, Remote(url)) for url in cloud.listing(self.url, self.skipped, self.suffixes))

    def count(self) -> None:
        """None: listing a bucket twice costs too much."""


@dataclass(frozen=True, slots=True)
class Url:
    """One file at a URL."""

    url: str

    def items(self) -> Iterator[Item]:
        """The file itself."""
        yield Item(self.url, Remote(self.url))

    def count(self) -> int:
        """One."""
        return 1


@dataclass(frozen=True, slots=True)
class Video:
    """The frames of a video file."""

    path: Path
    every: video.Every

    def items(self) -> Iterator[Item]:
        """In the order in which they are shown. If it is damaged, the last item carries the error."""
        name = self.path.as_posix()
        try:
            for frame in video.frames(self.path, self.every):
                yield Item(f"{name}#t={frame.seconds:.3f}", frame.read, seconds=round(frame.seconds, 6))
        except InputError as error:
            yield Item(name, error)

    def count(self) -> int | None:
        """As the file says."""
        return video.count(self.path, self.every)


@dataclass(frozen=True, slots=True)
class Inputs:
    """All arguments of a run. Files and folders give each image once; lists and archives give all they hold."""

    sources: Sequence[ImageSource]

    def __iter__(self) -> Iterator[Item]:
        files: set[Path] = set()
        folders: dict[Path, list[Search]] = {}
        for source in self.sources:
            if not isinstance(source, FileSource | Folder):
                yield from source.items()
                continue
            for item in source.items():
                if not isinstance(item.content, Path) or not _came_before(item.content, files, folders):
                    yield item
            if isinstance(source, FileSource):
                files.add(source.path)
            else:
                folders.setdefault(source.search.root, []).append(source.search)

    def of(self, suffixes: frozenset[str]) -> "Inputs":
        """The same, where other files below folders and in archives are images."""
        return Inputs([_of(source, suffixes) for source in self.sources])

    def count(self) -> int | None:
        """About how many images there are (repeats count); None if that would take reading them."""
        total = 0
        for source in self.sources:
            count = source.count()
            if count is None:
                return None
            total += count
        return total

    def root(self) -> str:
        """What every name begins with if a single folder or archive was named; otherwise an empty string."""
        match self.sources:
            case [Folder(search)]:
                return search.root.as_posix()
            case [Archive(name)] | [Bucket(name)] if not MAGIC & set(name):
                return name.rstrip("/")
        return ""

    @property
    def have_times(self) -> bool:
        """Whether there are videos among them."""
        return any(isinstance(source, Video) for source in self.sources)

    def folders(self) -> Iterator[Path]:
        """The folders that are searched, where nothing may be written during the run."""
        return (source.search.root for source in self.sources if isinstance(source, Folder))

    def searches(self) -> Iterator[Search]:
        """What is looked for in them."""
        return (source.search for source in self.sources if isinstance(source, Folder))

    def files(self) -> Iterator[Path]:
        """The files that were named: images, files of rows, lists and archives of this machine."""
        for source in self.sources:
            path = Path(source.name) if isinstance(source, Archive) else getattr(source, "path", None)
            if isinstance(path, Path) and path.exists():
                yield path

    def skipped(self) -> Mapping[str, int]:
        """Files that the sources held and that are no images, by suffix, as far as the items have been taken."""
        found: Counter[str] = Counter()
        for source in self.sources:
            if isinstance(source, Folder | Archive | Bucket):
                found.update(source.skipped.counts())
        return dict(found.most_common())

    def named(self) -> str:
        """The arguments, for messages."""
        return ", ".join(map(_name, self.sources))

    def facts(self) -> list[str]:
        """Each argument, with size and date of lists and archives: equal for two runs over the same inputs."""
        return [_fact(source) for source in self.sources]


def _of(source: ImageSource, suffixes: frozenset[str]) -> ImageSource:
    if isinstance(source, Folder):
        return replace(source, search=replace(source.search, suffixes=suffixes))
    return replace(source, suffixes=suffixes) if isinstance(source, Archive | Bucket) else source


def split_lines(file: IO[bytes]) -> Iterator[str]:
    """Paths, one per line, or ended by NUL as `find -print0` writes them. Empty lines are skipped."""
    start = b""
    while not (b"\n" in start or b"\0" in start) and (part := file.read1(2**16)):  # type: ignore[attr-defined]
        start += part
    separator = b"\0" if b"\0" in start else b"\n"
    rest = iter(lambda: file.read1(2**16), b"")  # type: ignore[attr-defined]
    left = b""
    for part in chain([start], rest):
        *lines, left = (left + part).split(separator)
        yield from _decoded(lines, separator)
    yield from _decoded([left], separator)


def _decoded(lines: Sequence[bytes], separator: bytes) -> Iterator[str]:
    for line in lines:
        if text := line.removesuffix(b"\r") if separator == b"\n" else line:
            yield os.fsdecode(text)


def _named(text: str) -> Item:
    """A line of a list."""
    return Item(text, Remote(text)) if cloud.is_url(text) else Item(Path(text).as_posix(), Path(text))


def _came_before(path: Path, files: set[Path], folders: dict[Path, list[Search]]) -> bool:
    """Whether an earlier argument has given this file."""
    if path in files:
        return True
    if not folders:
        return False  # listing a path's parents would cost as much as everything else here
    return any(search.covers(path) for above in path.parents for search in folders.get(above, ()))


def _open(name: str) -> IO[bytes]:
    return cloud.open_url(name) if cloud.is_url(name) else Path(name).open("rb")


def _name(source: ImageSource) -> str:
    match source:
        case FileSource(path) | Video(path):
            return path.as_posix()
        case Folder(search=search):
            return str(search)
        case Listed(path):
            return "standard input" if path is None else f"@{path}"
        case Archive(name=name) | Bucket(url=name) | Url(url=name):
            return name
    return str(source)


def _fact(source: ImageSource) -> str:
    match source:
        case Archive(name) if not cloud.is_url(name):
            return f"{name} {version(Path(name))}"
        case Listed(Path() as path):
            return f"@{path} {version(path)}"
        case Video(path, every):
            return f"{path} every {every} {version(path)}"
    fact = getattr(source, "fact", None)
    return str(source) if fact is None else str(fact())


def version(path: Path) -> str:
    """The size and the date of a file."""
    status = path.stat()
    return f"{status.st_size} bytes, changed {status.st_mtime_ns}"
