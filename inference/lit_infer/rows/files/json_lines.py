"""`.jsonl`: a row in each line, as a JSON object; a name that is not there is a missing value."""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec

from lit_infer.errors import InputError
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.files.numpy_files import opened
from lit_infer.rows.files.wanted import RowReader, Wanted

_AT_ONCE = 1024


def _blocks(path: Path, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    with opened(path) as held, held.reader() as file:
        yield from blocks(file, wanted, size)


def blocks(file: IO[bytes], wanted: Wanted, size: int) -> Iterator[RowBlock]:
    """The rows of an open file, so many at a time. Raises InputError for one without any."""
    step = max(1, _AT_ONCE // size) * size
    lines = (line for line in file if line.strip())
    is_first = True
    while True:
        began = time.perf_counter()
        rows = [_row(line) for line in islice(lines, step)]
        if not rows:
            if is_first:
                raise InputError("it has no rows", code="empty")
            return
        if is_first and isinstance(rows[0], dict):
            wanted.check_some(list(rows[0]))
        if is_first and any(isinstance(row, dict) for row in rows):
            wanted.check_kept(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row))
        is_first = False
        yield _block(rows, wanted, began)


def _block(rows: list[Any], wanted: Wanted, began: float) -> RowBlock:
    errors = {index: row for index, row in enumerate(rows) if isinstance(row, InputError)}
    good = [row if isinstance(row, dict) else {} for row in rows]
    columns = {name: [row.get(wanted.source(name)) for row in good] for name in wanted.fields.names}
    kept = {name: [row.get(name) for row in good] for name in wanted.keep}
    return RowBlock(len(rows), columns, errors, kept, (time.perf_counter() - began) * 1e3)


def _row(line: bytes) -> dict[str, Any] | InputError:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return InputError(f"the line is not valid JSON ({error})", code="bad_row")
    if not isinstance(row, dict):
        return InputError(f"the line is {type(row).__name__}, not an object", code="bad_row")
    return row


READER = RowReader(blocks=_blocks, count=lambda _path, _wanted: None)
