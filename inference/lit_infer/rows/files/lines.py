"""`.txt`, and standard input: a text in each line."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from lit_infer.errors import InputError
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.files.numpy_files import opened
from lit_infer.rows.files.wanted import RowReader, Wanted

_MOST = 4_000_000  # bytes of a line


def _blocks(path: Path, wanted: Wanted, size: int) -> Iterator[RowBlock]:
    with opened(path) as held, held.reader() as file:
        yield from blocks(file, wanted, size)


def blocks(file: IO[bytes], wanted: Wanted, size: int) -> Iterator[RowBlock]:
    """The lines of an open file, so many at a time; an empty line is an empty text."""
    wanted.check_kept(())
    if len(wanted.fields.names) > 1:
        raise InputError(f"a line has one text, and {', '.join(wanted.fields.names)} are needed", code="missing")
    (name,) = wanted.fields.names
    while True:
        began = time.perf_counter()
        lines: list[Any] = []
        errors: dict[int, InputError] = {}
        while len(lines) < size and (line := file.readline(_MOST)):
            if len(line) == _MOST and not line.endswith(b"\n"):
                while (rest := file.readline(_MOST)) and not rest.endswith(b"\n"):
                    pass
                errors[len(lines)] = InputError(f"the line has more than {_MOST:,} bytes", code="too_long")
            lines.append(line.rstrip(b"\r\n").decode(errors="surrogateescape"))
        if not lines:
            return
        yield RowBlock(len(lines), {name: lines}, errors, {}, (time.perf_counter() - began) * 1e3)


READER = RowReader(blocks=_blocks, count=lambda _path, _wanted: None)
