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
_NEVER_CLOSED = ("unexpected end of data", "field larger than")


def _blocks(path: Path, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    with _text(path) as file:
        yield from blocks(file, wanted, size)


def blocks(file: IO[str], wanted: Wanted, size: int) -> Iterator[RowBlock]:
    """The rows of an open text file, so many at a time. Raises InputError for one without a header."""
    first = file.readline()
    delimiter = max(_DELIMITERS, key=first.count) if first.strip() else ","
    _check_text(first)
    names = next(csv.reader([first], delimiter=delimiter), [])
    if not any(names):
        raise InputError("it is empty: the first line has the names of the columns", code="empty")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"two of its columns are called {twice[0]}", code="bad_header")
    wanted.check_names(names)
    places = {name: names.index(wanted.source(name)) for name in wanted.fields.names}
    kept = {name: names.index(name) for name in wanted.keep}
    rows = _rows(csv.reader(file, delimiter=delimiter, strict=True))
    step = max(1, _AT_ONCE // size) * size
    while True:
        began = time.perf_counter()
        lines, errors = _lines(rows, step, len(names))
        if not lines:
            return
        columns = {name: [line[place] for line in lines] for name, place in places.items()}
        carried = {name: [line[place] for line in lines] for name, place in kept.items()}
        yield RowBlock(len(lines), columns, errors, carried, (time.perf_counter() - began) * 1e3)


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str] | InputError]:
    """Each row, or what is wrong with it. After a quote that is never closed nobody knows where the next one begins."""
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            is_open = any(words in str(error) for words in _NEVER_CLOSED)
            more = ": a quote is never closed, and what follows is left out" if is_open else ""
            yield InputError(f"the line cannot be read ({error}){more}", code="bad_row")
            if is_open:
                return
            continue
        if row is None:
            return
        try:
            _check_text("".join(row))
        except InputError as error:
            yield error
        else:
            yield row


def _check_text(text: str) -> None:
    """Raise InputError for bytes that are no UTF-8: a category of them would be another than it is."""
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InputError("it is not UTF-8: save the file as UTF-8", code="bad_row")


def _lines(
    rows: Iterator[list[str] | InputError], most: int, width: int
) -> tuple[list[Sequence[Any]], dict[int, InputError]]:
    """So many rows, and what is wrong with those that do not have the header's columns."""
    lines: list[Sequence[Any]] = []
    errors: dict[int, InputError] = {}
    while len(lines) < most:
        line = next(rows, None)
        if line is None:
            break
        if isinstance(line, InputError):
            errors[len(lines)] = line
            lines.append([None] * width)
            continue
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

        # A spreadsheet puts a mark before the first name. Bytes that are no text are an error of their row.
        with io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield file


READER = RowReader(blocks=_blocks, count=lambda _path, _wanted: None)
