"""A table beside images with the true labels or values of each: `metadata.csv` or `metadata.jsonl`.

As for Hugging Face's ImageFolder: the column `file_name`, below the table's folder, and one for each label or value.
"""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lit_infer.errors import NotFoundError, UsageError

TABLES = ("metadata.csv", "metadata.jsonl")
FILE_NAME = "file_name"


def table_of(folder: Path) -> Path:
    """The table of a folder of images. Raises NotFoundError if there is none, UsageError if there are two."""
    tables = [path for name in TABLES if (path := folder / name).is_file()]
    if not tables:
        raise NotFoundError(
            f"expected a folder of images with {' or '.join(TABLES)} in {folder}, which has the column {FILE_NAME} and "
            "one for each label or value"
        )
    if len(tables) > 1:
        raise UsageError(f"{folder} has both {' and '.join(TABLES)}: keep one of them")
    return tables[0]


def read(
    table: Path, *, names: Sequence[str] | None, size: int | None = None
) -> Iterator[tuple[Path, tuple[float, ...]]]:
    """Each image with a number for each of `names`, in that order; without names, for each column in the table's order.

    `size`: how many there must be. Raises UsageError for a missing column and a cell that is not a number.
    """
    rows = list(rows_of(table))
    all_columns = columns(table, rows)  # raises for a table without rows
    wanted = names or all_columns
    if size is not None and len(wanted) != size:
        raise UsageError(f"{table} has {len(wanted)} columns besides {FILE_NAME}; {size} are needed")
    for number, row in enumerate(rows, start=1):
        for name in (FILE_NAME, *wanted):
            if name not in row:
                raise UsageError(f"{table} has no column {name}; it has {', '.join(map(str, row))}")
        yield table.parent / str(row[FILE_NAME]), tuple(number_of(row[name], name, table, number) for name in wanted)


def columns(table: Path, rows: Sequence[dict[str, Any]] | None = None) -> tuple[str, ...]:
    """The names of the labels or values that a table has columns for."""
    found = list(rows_of(table)) if rows is None else rows
    if not found:
        raise UsageError(f"{table} has no rows")
    return tuple(name for name in found[0] if name != FILE_NAME)


def rows_of(table: Path) -> Iterator[dict[str, Any]]:
    """Its rows, each by column."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:  # a spreadsheet puts a mark before the first name
            rows = csv.DictReader(file) if table.suffix == ".csv" else map(json.loads, file)
            for number, row in enumerate(rows, start=1):
                if not isinstance(row, dict):
                    raise UsageError(f"{table}, row {number}: expected an object with {FILE_NAME}, not {str(row)[:40]}")
                yield row
    except UsageError:
        raise
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise UsageError(f"{table} cannot be read: {error}") from None


def number_of(cell: Any, name: str, table: Path, row: int) -> float:
    """A cell's number; UsageError, with its place, where it is none."""
    try:
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{table}, row {row}: {name} is {repr(cell)[:40]}, not a number")
    return number
