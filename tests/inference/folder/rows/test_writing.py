import csv
import io
import json
from pathlib import Path

import pyarrow.parquet
import pytest

from lit_infer.folder import writers
from lit_infer.folder.rows import writing
from tests.support.answered import CASES, ERRORS, made


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("errors", ERRORS)
def test_lines_are_those_of_single_rows(name: str, errors: dict[int, tuple[str, str]]) -> None:
    block, table, ask, rows = made(name, errors=errors)
    columns = block.columns(table, ask)
    file = io.StringIO()
    lines = csv.DictWriter(file, table.columns, lineterminator="\n")
    for row in rows:
        lines.writerow(
            {name: json.dumps(v, ensure_ascii=False) if isinstance(v, list | dict) else v for name, v in row.items()}
        )

    assert writing.csv_lines(columns) == as_null(file.getvalue())
    lines_of_json = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    assert writing.json_lines(columns) == as_null(lines_of_json, alone=True)


def as_null(text: str, *, alone: bool = False) -> str:
    """Numbers that JSON has no word for, within lists and objects, and in lines of JSON anywhere."""
    for word in ("NaN", "-Infinity", "Infinity"):
        text = text.replace(word, "null")
    return text


@pytest.mark.parametrize("name", CASES)
def test_a_parquet_file_is_that_of_single_rows(name: str, tmp_path: Path) -> None:
    block, table, ask, rows = made(name, errors=ERRORS[1])

    writing.write(lambda: iter([block, block]), tmp_path / "a.parquet", table, ask)
    writers.write_parquet(rows * 2, tmp_path / "b.parquet", writers.settled(lambda: rows, table.columns))

    ours, theirs = (pyarrow.parquet.read_table(tmp_path / f"{one}.parquet") for one in "ab")
    assert ours.schema == theirs.schema
    assert repr(ours.to_pylist()) == repr(theirs.to_pylist())
