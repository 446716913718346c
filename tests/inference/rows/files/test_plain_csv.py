from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.facts import CategoryColumn, NumberColumn, RowFields, TableColumn
from lit_infer.rows.files import Wanted, plain_csv
from lit_infer.rows.files.csv_files import READER
from lit_infer.rows.files.plain_csv import Places, read

AGE = ColumnFields(RowFields(columns=(TableColumn(name="age", number=NumberColumn()),)))


def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, wanted: Wanted) -> list[Any]:
    """What pyarrow reads where it can, and the standard library alone: the arrays of the model, errors, kept values."""
    found = []
    for least in (0, 2**40):
        monkeypatch.setattr(plain_csv, "LEAST", least)
        (tmp_path / "a.csv").write_bytes(text)
        for block in READER.blocks(tmp_path / "a.csv", wanted, 1024):
            groups, errors = wanted.fields.groups(block)
            told = {row: (str(error), error.code) for row, error in errors.items()}
            arrays = [array.tolist() for group in groups for array in group.arrays]
            found.append((arrays, told, {name: list(values) for name, values in block.kept.items()}))
    return found


NUMBERS = [
    "1",
    "-2.5",
    "1e5",
    "1_0",
    "\u0661",
    "",
    "NA",
    "nan",
    "NAN",
    "nan(1)",
    " 7 ",
    "+3",
    "inf",
    "1e999",
    ".5",
    "5.",
]
CELLS = st.sampled_from([*NUMBERS, "x", "0x1", "1e-400", "  ", "1,5", '"4"', "123456789.123456789", "\r"])


@given(lines=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=4), end=st.sampled_from(["\n", "\r\n"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pyarrow_changes_nothing_but_the_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[tuple[str, ...]], end: str
) -> None:
    kinds = (
        TableColumn(name="age", number=NumberColumn()),
        TableColumn(name="job", category=CategoryColumn(vocabulary=("x", "7", "NA"))),
    )
    text = "id,age,job" + end + "".join(",".join(line) + end for line in lines)

    fast, slow = both(
        tmp_path, monkeypatch, text.encode(), Wanted(ColumnFields(RowFields(columns=kinds)), {}, ("id", "age"))
    )

    assert fast == slow


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        (b"a,1\nb,\n\nc,3", [1, None, 3]),
        (b"a,1\r\n\xc3\xbc,2\r\n", [1, 2]),
        (b'a,1\n"b",2\n', None),
        (b"a,1\nb\n", None),
        (b"a,1\n\xff,2\n", None),
        (b"a,1\rb,2\n", None),
        (b"a,1\nb,NAN\n", None),
        (b"a,1\n" + b"b" * 2**18 + b",2\n", None),
    ],
)
def test_only_what_is_plain_is_read(lines: bytes, numbers: list[Any] | None) -> None:
    block = read(lines, ",", Places({"age": 1}, {"id": 0}, 2), AGE)

    found = block and [None if np.isnan(number) else number for number in block.columns["age"]]
    assert found == numbers
