"""What numpy_files and safetensors share: arrays are read a few rows at a time, and checked before."""

from pathlib import Path

import numpy as np
import pytest

from lit_infer.errors import InputError
from lit_infer.held_file import HeldFile
from lit_infer.rows.files.stored import PlainArray


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(7,), (7, 3), (7, 2, 3), (7, 0)])
def test_rows_are_those_of_the_array_in_either_order(tmp_path: Path, order: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(size=shape)
    (tmp_path / "data").write_bytes(b"head" + array.tobytes(order=order))  # type: ignore[arg-type]

    stored = PlainArray(HeldFile(tmp_path / "data"), 4, array.dtype, shape, is_fortran=order == "F")

    assert np.array_equal(stored.rows(2, 5), array[2:5])
    assert np.array_equal(stored.rows(0, 7), array)


def test_a_file_that_is_too_short_is_said_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(20))

    with pytest.raises(InputError, match="the file ends before its array does"):
        PlainArray(HeldFile(tmp_path / "data"), 0, np.dtype(np.float32), (6,))


def test_a_file_that_is_cut_off_later_is_an_error_and_no_signal(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(40))
    stored = PlainArray(HeldFile(tmp_path / "data"), 0, np.dtype(np.float32), (10,))
    with (tmp_path / "data").open("r+b") as file:
        file.truncate(8)

    with pytest.raises(InputError, match="the file was cut off while it was read"):
        stored.rows(0, 10)
