"""`.csv`: a table with the names of its columns in the first row. Values are text until a column's kind is known.

A file is read in pieces that end with a line. Where no quote is in one, pyarrow may read it (`plain_csv`), which is ten
times as fast; whatever that leaves, and all of it without pyarrow, is read by `csv` of the standard library.
"""

import csv
import io
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from lit_infer.errors import InputError
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.files import plain_csv
from lit_infer.rows.files.numpy_files import opened
from lit_infer.rows.files.plain_csv import Places
from lit_infer.rows.files.wanted import RowReader, Wanted

_PIECE = 2**20
_LONGEST = 2**26
"""Bytes of a line."""
_AT_ONCE = 1024
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*("|$)')
_NEVER_CLOSED = ("unexpected end of data", "field larger than")


def _blocks(path: Path, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    with opened(path) as held, held.reader() as file:
        yield from blocks(file, wanted, size)


def blocks(file: IO[bytes], wanted: Wanted, size: int) -> Iterator[RowBlock]:
    """The rows of an open file, so many at a time. Raises InputError for one without a header."""
    pieces = _pieces(file)
    first = next(pieces, b"").removeprefix(b"\xef\xbb\xbf")  # a spreadsheet puts a mark before the first name
    is_large = len(first) >= plain_csv.LEAST
    lines = _Lines(first, pieces)
    delimiter, names = _header(lines)
    wanted.check_names(names)
    places = Places(
        {name: names.index(wanted.source(name)) for name in wanted.fields.names},
        {name: names.index(name) for name in wanted.keep},
        len(names),
    )
    step = max(1, _AT_ONCE // size) * size
    piece: bytes | None = lines.rest()
    while piece is not None:
        began = time.perf_counter()
        block = plain_csv.read(piece, delimiter, places, wanted.fields) if is_large else None
        if block is not None:
            yield block.read_since(began)
        else:
            lines = _Lines(piece, pieces)
            yield from _of_lines(lines, delimiter, places, step)
            if lines.is_lost:
                return
        piece = next(pieces, None)


def _of_lines(lines: "_Lines", delimiter: str, places: Places, step: int) -> Iterator[RowBlock]:
    """The rows of a piece, and of as much of the next one as its last row takes."""
    rows = _rows(csv.reader(lines, delimiter=delimiter, strict=True), lines)
    while True:
        began = time.perf_counter()
        found, errors = _taken(rows, step, places.width)
        if not found:
            return
        columns = {name: [line[place] for line in found] for name, place in places.columns.items()}
        carried = {name: [line[place] for line in found] for name, place in places.kept.items()}
        yield RowBlock(len(found), columns, errors, carried).read_since(began)


class _Lines:
    """The lines of a piece as text; in the middle of a row also those of the pieces that follow."""

    def __init__(self, piece: bytes, more: Iterator[bytes]) -> None:
        self._text, self._more = _text(piece), more
        self.is_between = True
        """Whether the line that is asked for next begins a row."""
        self.is_lost = False
        """Whether nobody knows where the next row begins."""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        while not (line := self._text.readline()):
            piece = None if self.is_between else next(self._more, None)
            if piece is None:
                raise StopIteration
            self._text = _text(piece)
        self.is_between = False
        return line

    def rest(self) -> bytes:
        """What has not been taken."""
        return self._text.read().encode(errors="surrogateescape")


def _text(piece: bytes) -> io.StringIO:
    return io.StringIO(piece.decode(errors="surrogateescape"), newline="")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """The file in pieces of whole lines. Raises InputError for a line that is too long to be one."""
    left = b""
    while data := file.read(_PIECE):
        data = left + data
        end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1  # a last \r may be half of a line's end
        if not end and len(data) > _LONGEST:
            raise InputError(f"a line has more than {_LONGEST:,} bytes", code="too_large")
        left = data[end:]
        if end:
            yield data[:end]
    if left:
        yield left


def _header(lines: _Lines) -> tuple[str, list[str]]:
    """The delimiter, and the names of the columns; those without one are empty."""
    first = next(lines, "")
    _check_text(first)
    if not first:
        raise InputError("it is empty: the first line has the names of the columns", code="empty")
    if not first.strip(" \r\n"):
        raise InputError("its first line is blank, and should have the names of the columns", code="bad_header")
    unquoted = _QUOTED.sub("", first)
    delimiter = max(_DELIMITERS, key=unquoted.count)
    try:
        names = next(csv.reader(_chain(first, lines), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"its header cannot be read ({error})", code="bad_header") from None
    _check_text("".join(names))
    if not any(names):
        raise InputError("its first line has no names of columns, only separators", code="bad_header")
    if twice := sorted(name for name, count in Counter(filter(None, names)).items() if count > 1):
        raise InputError(f"two of its columns are called {twice[0]}", code="bad_header")
    return delimiter, names


def _chain(first: str, more: Iterator[str]) -> Iterator[str]:
    yield first
    yield from more


def _rows(reader: Iterator[list[str]], lines: _Lines) -> Iterator[list[str] | InputError]:
    """Each row, or what is wrong with it. After a quote that is never closed nobody knows where the next one begins."""
    while True:
        lines.is_between = True
        try:
            row = next(reader, None)
        except csv.Error as error:
            lines.is_lost = any(words in str(error) for words in _NEVER_CLOSED)
            more = ": a quote is never closed, and what follows is left out" if lines.is_lost else ""
            yield InputError(f"the line cannot be read ({error}){more}", code="bad_row")
            if lines.is_lost:
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


def _taken(
    rows: Iterator[list[str] | InputError], most: int, width: int
) -> tuple[list[Sequence[Any]], dict[int, InputError]]:
    """So many rows, and what is wrong with those that do not have the header's columns."""
    found: list[Sequence[Any]] = []
    errors: dict[int, InputError] = {}
    while len(found) < most:
        row = next(rows, None)
        if row is None:
            break
        if isinstance(row, InputError):
            errors[len(found)] = row
            found.append([None] * width)
            continue
        if not row:  # an empty line
            continue
        if len(row) != width:
            errors[len(found)] = InputError(f"it has {len(row)} values and the header {width}", code="bad_row")
            row = [None] * width  # type: ignore[list-item]
        found.append(row)
    return found, errors


READER = RowReader(blocks=_blocks, count=lambda _path, _wanted: None)
