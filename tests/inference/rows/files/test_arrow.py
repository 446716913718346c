from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from lit_infer.errors import InputError
from lit_infer.manifest import Tensor
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.files import Wanted
from lit_infer.rows.files.arrow import PARQUET

FLOATS = pa.list_(pa.float32())


def wanted(*shape: int | str, dtype: Any = "float32") -> Wanted:
    return Wanted(ArrayFields((Tensor(name="x", dtype=dtype, shape=("batch", *shape)),)), {})


def rows(path: Path, column: pa.Array, want: Wanted) -> RowBlock:
    pa.parquet.write_table(pa.table({"x": column}), path / "a.parquet")
    (block,) = PARQUET.blocks(path / "a.parquet", want, 64)
    return block


@pytest.mark.parametrize("kind", [FLOATS, pa.list_(pa.float32(), 6), pa.large_list(pa.float32())])
def test_a_flat_list_may_hold_an_array_of_several_sides(tmp_path: Path, kind: pa.DataType) -> None:
    numbers = np.arange(12, dtype=np.float32).reshape(2, 6)

    block = rows(tmp_path, pa.array(numbers.tolist(), kind), wanted(2, 3))

    assert np.array_equal(np.asarray(block.columns["x"]), numbers.reshape(2, 2, 3))


def test_a_row_that_is_missing_or_ragged_fails_alone(tmp_path: Path) -> None:
    values = [[1, 2, 3], None, [1, 2], [4, None, 6], [7, 8, 9]]

    block = rows(tmp_path, pa.array(values, FLOATS), wanted(3))

    assert {row: error.code for row, error in block.errors.items()} == {1: "missing", 2: "bad_shape", 3: "missing"}
    assert np.asarray(block.columns["x"])[[0, 4]].tolist() == [[1, 2, 3], [7, 8, 9]]
    assert str(block.errors[2]) == "x is [2], and the model takes [3]"


def test_rows_of_any_length_stay_apart(tmp_path: Path) -> None:
    block = rows(tmp_path, pa.array([[1], [2, 3], []], pa.list_(pa.int64())), wanted("length", dtype="int64"))

    assert [value.tolist() for value in block.columns["x"]] == [[1], [2, 3], []]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([[1.0, 2, 3]]), "x has values of double, and the model takes float32: cast the column"),
        (pa.array(["a"]), "x has values of string"),
        (pa.array([1.0], pa.float32()), r"x has lists 0 deep, and a row of the model is \[3\]"),
        (pa.array([[[1, 2, 3]]], pa.list_(FLOATS)), "x has lists 2 deep"),
    ],
)
def test_another_kind_of_column_is_said(tmp_path: Path, column: pa.Array, said: str) -> None:
    with pytest.raises(InputError, match=said):
        rows(tmp_path, column, wanted(3))


def test_what_is_kept_is_plain(tmp_path: Path) -> None:
    import datetime

    when = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    pa.parquet.write_table(
        pa.table({"x": pa.array([[1.0]], FLOATS), "at": [when], "n": [3], "s": ["a"]}), tmp_path / "a.parquet"
    )
    want = Wanted(wanted(1).fields, {}, ("at", "n", "s"))

    (block,) = PARQUET.blocks(tmp_path / "a.parquet", want, 8)

    assert block.kept == {"at": ["2026-01-02 00:00:00+00:00"], "n": [3], "s": ["a"]}


def test_a_column_that_packs_well_is_still_read_a_few_megabytes_at_a_time(tmp_path: Path) -> None:
    rows, width = 4000, 4096
    column = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * width, dtype=np.float32)), width)
    pa.parquet.write_table(pa.table({"x": column}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 1_000_000

    counts = [block.count for block in PARQUET.blocks(tmp_path / "a.parquet", wanted(width), 8)]

    assert (sum(counts), max(counts)) == (rows, 256)
