"""`.csv`: a table with the names of its columns in the first line. Values are text until a column's kind is known."""

import csv
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lit_infer.errors import InputError
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.files.numpy_files import opened
from lit_infer.rows.files.wanted import RowReader, Wanted

_AT_ONCE = 1024
_DELIMITERS = ",;\t|"


def _blocks(path: Path, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    with _text(path) as file:
        yield from blocks(file, wanted, size)


def blocks(file: IO[str], wanted: Wanted, size: int) -> Iterator[RowBlock]:
    """The rows of an open text file, so many at a time. Raises InputError for one without a header."""
    first = file.readline()
    delimiter = max(_DELIMITERS, key=first.count) if first.strip() else ","
    names = next(csv.reader([first], delimiter=delimiter), [])
    if not any(names):
        raise InputError("it is empty: the first line has the names of the columns", code="empty")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"two of its columns are called {twice[0]}", code="bad_header")
    wanted.check_names(names)
    places = {name: names.index(wanted.source(name)) for name in wanted.fields.names}
    kept = {name: names.index(name) for name in wanted.keep}
    rows = csv.reader(file, delimiter=delimiter)
    step = max(1, _AT_ONCE // size) * size
    while True:
        began = time.perf_counter()
        lines, errors = _lines(rows, step, len(names))
        if not lines:
            return
        columns = {name: [line[place] for line in lines] for name, place in places.items()}
        carried = {name: [line[place] for line in lines] for name, place in kept.items()}
        yield RowBlock(len(lines), columns, errors, carried, (time.perf_counter() - began) * 1e3)


def _lines(rows: Iterator[list[str]], most: int, width: int) -> tuple[list[Sequence[Any]], dict[int, InputError]]:
    """So many rows, and what is wrong with those that do not have the header's columns."""
    lines: list[Sequence[Any]] = []
    errors: dict[int, InputError] = {}
    while len(lines) < most:
        try:
            line = next(rows, None)
        except csv.Error as error:  # such as a quote that is never closed
            errors[len(lines)] = InputError(f"the line cannot be read ({error})", code="bad_row")
            lines.append([None] * width)
            continue
        if line is None:
            break
        if not line:  # an empty line
            continue
        if len(line) != width:
            errors[len(lines)] = InputError(f"it has {len(line)} values and the header {width}", code="bad_row")
            line = [None] * width  # type: ignore[list-item]
        lines.append(line)
    return lines, errors


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    with opened(path) as held, held.reader() as raw:
        import io

        # A spreadsheet puts a mark before the first name. Bytes that are no text are kept, and are no number.
        with io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield file


READER = RowReader(blocks=_blocks, count=lambda _path, _wanted: None)
