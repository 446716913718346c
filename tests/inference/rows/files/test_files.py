"""Every format gives the same rows for the same arrays, whatever the size of a block."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import safetensors.numpy

from lit_infer.errors import InputError
from lit_infer.manifest import Tensor
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.blocks import joined
from lit_infer.rows.files import ARRAY_READERS as READERS
from lit_infer.rows.files import TEXT_READERS, Wanted
from tests.support.hostile_files import HOSTILE

FIELDS = ArrayFields(
    (
        Tensor(name="x", dtype="float32", shape=("batch", 2, 3)),
        Tensor(name="n", dtype="int64", shape=("batch",)),
    )
)
COUNT = 11
X = np.random.default_rng(0).normal(size=(COUNT, 2, 3)).astype(np.float32)
N = np.arange(COUNT)


def table(**columns: Any) -> pa.Table:
    return pa.table({"x": X.tolist(), "n": N, "id": [f"r{n}" for n in N], **columns}).cast(
        pa.schema([("x", pa.list_(pa.list_(pa.float32()))), ("n", pa.int64()), ("id", pa.string())])
    )


WRITE: dict[str, Callable[[Path], Any]] = {
    ".npz": lambda path: np.savez(path, x=X, n=N, id=np.array([f"r{n}" for n in N])),
    "packed.npz": lambda path: np.savez_compressed(path, x=X, n=N, id=np.array([f"r{n}" for n in N])),
    "columns.npz": lambda path: np.savez_compressed(
        path, x=np.asfortranarray(X), n=N, id=np.array([f"r{n}" for n in N])
    ),
    ".safetensors": lambda path: safetensors.numpy.save_file({"x": X, "n": N, "id": N.astype(np.int32)}, path),
    ".parquet": lambda path: pa.parquet.write_table(table(), path, row_group_size=4),
    ".arrow": lambda path: _arrow(path),  # noqa: PLW0108 - it is defined below
    ".feather": lambda path: pa.feather.write_feather(table(), path),
}


def _arrow(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table().schema) as writer:
        writer.write_table(table(), max_chunksize=4)


def test_every_format_that_is_read_is_tried_here() -> None:
    assert {f".{name.rpartition('.')[2]}" for name in WRITE} == set(READERS) - {".npy"}


@pytest.mark.parametrize("name", WRITE)
@pytest.mark.parametrize("size", [1, 3, 64])
def test_rows_come_back_as_they_were_written(tmp_path: Path, name: str, size: int) -> None:
    path = tmp_path / f"rows{name}"
    WRITE[name](path)
    reader, wanted = READERS[path.suffix], Wanted(FIELDS, {}, ("id",))

    found = joined(list(reader.blocks(path, wanted, size)))

    assert (found.count, dict(found.errors)) == (COUNT, {})
    assert np.array_equal(np.asarray(found.columns["x"]), X)
    assert np.array_equal(np.asarray(found.columns["n"]), N)
    assert list(found.kept["id"]) == (N.tolist() if name == ".safetensors" else [f"r{n}" for n in N])
    assert reader.count(path, wanted) in (COUNT, None)


@pytest.mark.parametrize("name", WRITE)
def test_a_file_that_is_cut_off_anywhere_is_an_error_and_never_wrong_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"rows{name}"
    WRITE[name](path)
    data = path.read_bytes()
    for length in range(0, len(data), max(1, len(data) // 60)):
        path.write_bytes(data[:length])
        with pytest.raises(InputError):
            list(READERS[path.suffix].blocks(path, Wanted(FIELDS, {}, ()), 64))


@pytest.mark.parametrize("suffix", sorted(READERS))
def test_a_missing_file_and_a_file_of_something_else_are_said(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"other{suffix}").write_bytes(b"something else, long enough to be looked at as a header" * 20)

    for name, code in ((f"none{suffix}", "not_found"), (f"other{suffix}", "damaged")):
        with pytest.raises(InputError) as error:
            list(READERS[suffix].blocks(tmp_path / name, Wanted(FIELDS, {}, ()), 64))
        assert error.value.code == code


@pytest.mark.parametrize("suffix", sorted({*READERS, *TEXT_READERS}))
@pytest.mark.parametrize("kind", HOSTILE)
def test_files_that_block_or_never_end_are_refused(tmp_path: Path, suffix: str, kind: str) -> None:
    make, said = HOSTILE[kind]
    make(tmp_path / f"a{suffix}")
    reader = {**TEXT_READERS, **READERS}[suffix]

    with pytest.raises(InputError, match=said):
        list(reader.blocks(tmp_path / f"a{suffix}", Wanted(FIELDS, {}, ()), 64))
