"""`.wav`, `.flac`, `.ogg`: a file is a row. It is decoded when its batch is prepared, on the threads of the answers."""

from collections.abc import Callable, Iterator
from pathlib import Path

from lit_infer.errors import UsageError
from lit_infer.rows.audio import COLUMN
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.files.wanted import RowReader, Wanted
from lit_infer.rows.recordings import MOST_BYTES


def _blocks(path: Path, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    del size
    _check(wanted)
    yield RowBlock(1, {COLUMN: [path]})


def remote(read: Callable[[int], bytes], wanted: Wanted) -> Iterator[RowBlock]:
    """A file of an archive or at a URL. Raises InputError where it cannot be read."""
    _check(wanted)
    yield RowBlock(1, {COLUMN: [read(MOST_BYTES)]})


def _check(wanted: Wanted) -> None:
    """Raise UsageError for what only columns have."""
    if wanted.keep or wanted.columns:
        option = "--keep" if wanted.keep else "--column"
        raise UsageError(f"{option} is for columns, and a recording has none: leave it out")


READER = RowReader(blocks=_blocks, count=lambda _path, _wanted: 1)
