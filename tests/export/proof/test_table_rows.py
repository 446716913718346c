from pathlib import Path

import numpy as np
import pytest

from lit_export.proof.table_rows import made_up, noise, real
from lit_infer.errors import UsageError
from lit_infer.rows.columns import ColumnFields
from tests.support.tables import FIELDS

TABLE = "age,job,smoker\n50,cook,no\nNA,smith,yes\n30,tailor,1\nx,cook,no\n"


def test_made_up_rows_can_all_be_prepared_and_show_what_is_allowed() -> None:
    rows = made_up(FIELDS, 64)
    _, errors = ColumnFields(FIELDS).groups(ColumnFields(FIELDS).block(rows))

    assert errors == {}
    assert {row["job"] for row in rows} == {"cook", "smith", "none of them", None} - {None}
    assert any(row["age"] is None for row in rows)
    assert {row["smoker"] for row in rows} == {True, False}


def test_noise_has_the_shape_and_dtype_of_the_inputs() -> None:
    (rows,) = noise(FIELDS, np.random.default_rng(0), 5)

    assert (rows.shape, rows.dtype) == ((5, 4), np.float32)
    assert set(rows[:, 3]) <= {0, 1}


def test_the_rows_of_a_file_are_typed_and_those_that_cannot_be_prepared_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TABLE)

    found = real(FIELDS, tmp_path / "a.csv")

    assert found.raw == (
        {"age": 50.0, "job": "cook", "smoker": False},
        {"age": None, "job": "smith", "smoker": True},
        {"age": 30.0, "job": "tailor", "smoker": True},
    )
    assert (found.count, found.source, found.arrays[0].shape) == (3, "a.csv", (3, 4))
    drawn = found.drawn(np.random.default_rng(0), 3)[0]
    assert sorted(drawn.tolist()) == sorted(found.arrays[0].tolist())
    assert len(found.drawn(np.random.default_rng(0), 8)[0]) == 8


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "age,job,smoker\nx,cook,no\n", "has no row that can be prepared: age is 'x', not a number"),
        ("a.csv", "age\n1\n", "there is no job in it"),
        ("a.npz", "", r"expected a \.csv, \.jsonl"),
    ],
)
def test_a_file_without_a_usable_row_is_told(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(UsageError, match=said):
        real(FIELDS, tmp_path / name)
