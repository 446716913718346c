"""Lines of CSV without quotes, read by pyarrow where it is installed.

Where pyarrow and the standard library might differ, or a row is bad, nothing is read here: None says so, and the way
that tells each row's error reads the lines again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.column_values import DictionaryColumn, RowValues
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.columns import MISSING_NUMBERS, ColumnFields
from lit_infer.rows.fields import HasNames

LEAST = 2**18
"""Bytes below which importing pyarrow takes longer than it saves."""
_LONGEST = 2**17
"""Bytes of a line: more may be too much for one value."""


@dataclass(frozen=True)
class Places:
    """Where in a line the values are."""

    columns: Mapping[str, int]
    """By the name of what the model takes."""
    kept: Mapping[str, int]
    width: int


def read(lines: bytes, delimiter: str, places: Places, fields: HasNames) -> RowBlock | None:
    """The rows of whole lines; None if they are better read one by one."""
    if not _is_plain(lines) or (csv := _pyarrow_csv()) is None:
        return None
    kinds = {name: _kind(name, fields) for name in places.columns}
    try:
        texts = _columns(csv, lines, delimiter, places.width, dict.fromkeys(places.kept.values(), "string"))
        found = {}
        for kind in sorted(set(kinds.values())):
            of_kind = {place: kind for name, place in places.columns.items() if kinds[name] == kind}
            found[kind] = _columns(csv, lines, delimiter, places.width, of_kind)
    except ValueError:  # pyarrow's errors are of these
        return None
    columns: dict[str, RowValues] = {}
    for name, place in places.columns.items():
        values = _values(found[kinds[name]][place], kinds[name])
        if values is None:
            return None
        columns[name] = values
    count = len(next(iter(columns.values())))
    return RowBlock(count, columns, {}, {name: texts[place].to_pylist() for name, place in places.kept.items()})


def _is_plain(lines: bytes) -> bool:
    """Whether each line is a row, and each of its values what is between two separators."""
    if b'"' in lines or b"\0" in lines or lines.count(b"\r") != lines.count(b"\r\n"):
        return False
    ends = np.flatnonzero(np.frombuffer(lines, dtype=np.uint8) == ord("\n"))
    if np.diff(ends, prepend=-1, append=len(lines)).max() > _LONGEST:
        return False
    if lines.isascii():
        return True
    try:
        lines.decode()
    except UnicodeDecodeError:
        return False
    return True


@cache
def _pyarrow_csv() -> Any:
    try:
        return import_module("pyarrow.csv")
    except ImportError:
        return None


def _kind(name: str, fields: HasNames) -> str:
    """Numbers, values that repeat, or texts."""
    if not isinstance(fields, ColumnFields):
        return "string"
    return "number" if fields.is_number(name) else "dictionary"


def _columns(csv: Any, lines: bytes, delimiter: str, width: int, kinds: Mapping[int, str]) -> dict[int, Any]:
    """Columns by their places, each as one array of Arrow. Raises ValueError for lines that do not have them."""
    if not kinds:
        return {}
    arrow = import_module("pyarrow")
    types = {
        "number": arrow.float64(),
        "string": arrow.string(),
        "dictionary": arrow.dictionary(arrow.int32(), arrow.string()),
    }
    table = csv.read_csv(
        arrow.BufferReader(lines),
        csv.ReadOptions(use_threads=False, block_size=len(lines) + 1, column_names=list(map(str, range(width)))),
        csv.ParseOptions(delimiter=delimiter, quote_char=False, double_quote=False),
        csv.ConvertOptions(
            check_utf8=False,
            column_types={str(place): types[kind] for place, kind in kinds.items()},
            null_values=sorted(MISSING_NUMBERS),
            include_columns=list(map(str, kinds)),
        ),
    )
    return {place: table.column(str(place)).combine_chunks() for place in kinds}


def _values(column: Any, kind: str) -> RowValues | None:
    if kind == "string":
        texts: list[Any] = column.to_pylist()
        return texts
    if kind == "dictionary":
        chunk = column.chunk(0) if hasattr(column, "chunk") else column
        return DictionaryColumn(chunk.indices.to_numpy(), chunk.dictionary.to_pylist())
    numbers: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    # A word for NaN that we do not have.
    return numbers if int(np.isnan(numbers).sum()) == column.null_count else None
