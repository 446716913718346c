import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer.errors import InputError
from lit_infer.manifest import Tensor
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.files import Wanted
from lit_infer.rows.files.numpy_files import NPY, NPZ

ONE = Wanted(ArrayFields((Tensor(name="x", dtype="float32", shape=("batch", 3)),)), {})
X = np.arange(12, dtype=np.float32).reshape(4, 3)


def rows(path: Path, wanted: Wanted = ONE) -> list[RowBlock]:
    return list((NPY if path.suffix == ".npy" else NPZ).blocks(path, wanted, 3))


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


def test_a_lone_array_is_the_one_input_whatever_it_is_called(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X)

    for path in (tmp_path / "a.npz", saved(tmp_path / "a.npy", X)):
        (block,) = rows(path)
        assert np.array_equal(np.asarray(block.columns["x"]), X)


def test_an_array_without_the_side_of_rows_is_one_row(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", X[1])

    (block,) = rows(path)

    assert (block.count, NPY.count(path, ONE)) == (1, 1)
    assert np.array_equal(np.asarray(block.columns["x"]), X[1:2])


@pytest.mark.parametrize(
    ("array", "code", "said"),
    [
        (X.astype(np.float64), "bad_dtype", "x is float64, and the model takes float32"),
        (X.astype(">f4"), "bad_dtype", "x is >f4, and the model takes float32"),
        (X[:, :2], "bad_shape", r"x is \[4, 2\], and the model takes \[rows, 3\]"),
        (np.array([{}]), "bad_dtype", "it holds Python objects, not numbers"),
        (np.zeros((2, 2, 3), dtype=np.float32), "bad_shape", r"x is \[2, 2, 3\]"),
    ],
)
def test_another_array_says_what_it_is_and_what_is_needed(tmp_path: Path, array: Any, code: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        rows(saved(tmp_path / "a.npy", array))
    assert error.value.code == code


def test_an_array_without_a_name_is_not_guessed_to_be_one_of_two_inputs(tmp_path: Path) -> None:
    two = Wanted(ArrayFields((*ONE.fields.tensors, Tensor(name="y", dtype="float32", shape=("batch",)))), {})

    with pytest.raises(InputError, match=r"one array without a name, and the model takes x, y: save an .npz"):
        rows(saved(tmp_path / "a.npy", X), two)


def test_a_byte_that_was_changed_in_a_packed_array_is_noticed(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[2000] ^= 1
    (tmp_path / "a.npz").write_bytes(data)

    with pytest.raises(InputError, match="the file is damaged"):
        rows(tmp_path / "a.npz")


def test_an_empty_archive_and_one_of_too_many_arrays_are_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "none.npz")
    np.savez(tmp_path / "many.npz", **{f"a{index}": X[0, :1] for index in range(1001)})

    with pytest.raises(InputError, match="it holds no arrays"):
        rows(tmp_path / "none.npz")
    with pytest.raises(InputError, match="it holds more than 1000 arrays"):
        rows(tmp_path / "many.npz")


def test_a_packed_array_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    any_length = Wanted(ArrayFields((Tensor(name="x", dtype="uint8", shape=("batch", "length")),)), {})
    header = io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": (1, 2**40)}
    np.lib.format.write_array_header_1_0(header, facts)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(1000))

    with pytest.raises(InputError, match="it would unpack 1,099,511,627,776 bytes at once"):
        rows(tmp_path / "a.npz", any_length)
