"""The rows of all files that the arguments name, in blocks, each row with where it came from."""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import cast

from lit_infer.errors import InputError, UsageError
from lit_infer.folder.cloud import Remote
from lit_infer.folder.shards import Covered
from lit_infer.folder.sources import Inputs, Item, Listed
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.blocks import RowBlock, joined
from lit_infer.rows.files import Wanted, audio_files, csv_files, json_lines, lines, readers_of
from lit_infer.rows.text import TextFields

_NO_STAMP = bytes(8)


@dataclass(frozen=True, slots=True)
class RowOrigin:
    """Rows that follow each other in a file."""

    path: str
    first: int | None
    """The number of the first one in its file, from 0; None: the file as a whole, which cannot be read."""
    count: int
    stamp: bytes = _NO_STAMP
    step: int = 1


@dataclass(frozen=True, slots=True)
class FoundBlock:
    """Rows that are answered together, of one file or of several."""

    rows: RowBlock
    origins: Sequence[RowOrigin]


@dataclass(frozen=True, slots=True)
class StandardInput:
    """Standard input, which has the rows themselves."""

    def items(self) -> Iterator[Item]:
        """As one file."""
        yield Item(_STDIN.as_posix(), _STDIN)

    def count(self) -> None:
        """None: it can be read only once."""

    def __str__(self) -> str:
        return "standard input"


_STDIN = Path("-")
"""It stands for standard input; a file of that name is another object."""


@dataclass(frozen=True)
class RowInputs:
    """All arguments of a run over rows."""

    inputs: Inputs
    wanted: Wanted
    shard: tuple[int, int] = (0, 1)
    """Of so many shards (the second) the rows of this one, counted from 0."""
    covered: Covered = field(default_factory=Covered, compare=False)
    """The rows of all shards, as far as they have been read."""
    whole_files: bool = False
    """Whether a file is one block, because an answer depends on all of it."""
    of_rows: Inputs = field(init=False, repr=False, compare=False)
    """The same, where files of rows are looked for."""

    def __post_init__(self) -> None:
        found = self.inputs.of(frozenset(readers_of(self.wanted.fields)))
        # Standard input has the rows themselves, and not paths.
        if not isinstance(self.wanted.fields, ArrayFields | AudioFields):
            found = Inputs([StandardInput() if source == Listed(None) else source for source in found.sources])
        object.__setattr__(self, "of_rows", found)

    def blocks(self, size: int) -> Iterator[FoundBlock]:
        """The rows in blocks of `size`, across files; fewer where those that follow have another shape."""
        if self.whole_files:
            yield from self._files()
            return
        waiting: list[FoundBlock] = []
        held = 0
        for found in self._sharded(size):
            block = found
            if waiting and not waiting[0].rows.joins(block.rows):
                yield _joined(waiting)
                waiting, held = [], 0
            while held + block.rows.count >= size:
                yield _joined([*waiting, _taken(block, 0, size - held)])
                block, waiting, held = _taken(block, size - held, block.rows.count), [], 0
            if block.rows.count:
                waiting.append(block)
                held += block.rows.count
        if waiting:
            yield _joined(waiting)

    def count(self) -> int | None:
        """How many rows there are; None if that would take reading them."""
        total = 0
        if StandardInput() in self.of_rows.sources:
            return None
        for item in self.of_rows:
            try:
                reader = readers_of(self.wanted.fields).get(Path(item.name).suffix.lower())
                count = reader.count(item.content, self.wanted) if reader and isinstance(item.content, Path) else 1
            except (InputError, OSError, UsageError):
                count = 1
            if count is None:
                return None
            total += count
        return -(-total // self.shard[1])

    def skipped(self) -> dict[str, int]:
        """Files that hold no rows, by suffix, as far as they have been come across."""
        return dict(self.of_rows.skipped())

    def _files(self) -> Iterator[FoundBlock]:
        """Each file as one block."""
        for item in self.of_rows:
            found = list(_rows_of(item, self.wanted, 2**16))
            parts: list[FoundBlock] = []
            for block in found:
                if parts and not parts[0].rows.joins(block.rows):
                    reason = InputError(
                        "its rows have different shapes, and each answer depends on all", code="bad_shape"
                    )
                    parts = [FoundBlock(RowBlock.of_error(reason), [RowOrigin(item.name, None, 1)])]
                    break
                parts.append(block)
            if parts:
                yield _joined(parts)

    def _sharded(self, size: int) -> Iterator[FoundBlock]:
        """The rows of this shard: every so manyth of all rows."""
        index, (own, shards) = 0, self.shard
        for item in self.of_rows:
            for block in _rows_of(item, self.wanted, size):
                start = (own - index) % shards
                index += block.rows.count
                self.covered.add(item.name, block.rows.count)
                if start < block.rows.count:
                    yield _taken(block, start, block.rows.count, shards)


def _rows_of(item: Item, wanted: Wanted, size: int) -> Iterator[FoundBlock]:
    """The rows of one file. One that cannot be read, or not to its end, is a row with the error."""
    number, stamp = 0, _stamp(item.content) if isinstance(item.content, Path) else _NO_STAMP
    try:
        for block in _open(item, wanted, size):
            yield FoundBlock(block, [RowOrigin(item.name, number, block.count, stamp)])
            number += block.count
    except InputError as error:
        yield FoundBlock(RowBlock.of_error(error), [RowOrigin(item.name, None, 1, stamp)])
    except OSError as error:
        reason = InputError(error.strerror or str(error), code="unreadable")
        yield FoundBlock(RowBlock.of_error(reason), [RowOrigin(item.name, None, 1, stamp)])


def _open(item: Item, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    if isinstance(item.content, InputError):
        raise item.content
    if not isinstance(item.content, Path):
        if isinstance(wanted.fields, AudioFields) and not isinstance(item.content, Mapping):
            read = item.content.read if isinstance(item.content, Remote) else item.content
            return audio_files.remote(read, wanted)
        raise InputError("rows are read from files of this machine: fetch or unpack it first", code="not_local")
    if item.content is _STDIN:
        return _standard_input(cast(BufferedReader, sys.stdin.buffer), wanted, size)
    readers = readers_of(wanted.fields)
    reader = readers.get(item.content.suffix.lower())
    if reader is None:
        raise InputError(f"rows are read from {' '.join(sorted(readers))} files", code="unknown_format")
    return reader.blocks(item.content, wanted, size)


def _standard_input(file: BufferedReader, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    """Texts, one in each line; or a table, as lines of JSON if it begins with a brace, else as CSV."""
    if isinstance(wanted.fields, TextFields):
        return lines.blocks(file, wanted, size)
    is_json = file.peek(1).lstrip()[:1] == b"{"
    return json_lines.blocks(file, wanted, size) if is_json else csv_files.blocks(file, wanted, size)


def _stamp(path: Path) -> bytes:
    """8 bytes that change with a file's size or date."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return _NO_STAMP
    return hashlib.blake2b(b"%d %d" % (status.st_size, status.st_mtime_ns), digest_size=8).digest()


def _taken(block: FoundBlock, start: int, stop: int, step: int = 1) -> FoundBlock:
    """Some rows of a block that may be of several files only where all are taken."""
    rows = block.rows.taken(start, stop, step)
    if rows is block.rows:
        return block
    (origin,) = block.origins
    first = None if origin.first is None else origin.first + start * origin.step
    return FoundBlock(rows, [RowOrigin(origin.path, first, rows.count, origin.stamp, origin.step * step)])


def _joined(blocks: Sequence[FoundBlock]) -> FoundBlock:
    if len(blocks) == 1:
        return blocks[0]
    return FoundBlock(
        joined([block.rows for block in blocks]), [origin for block in blocks for origin in block.origins]
    )
