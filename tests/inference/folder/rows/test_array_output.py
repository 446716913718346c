from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer.errors import UsageError
from lit_infer.folder.rows.array_output import OutputArray, check, write
from lit_infer.manifest import Tensor
from tests.inference.tiny import described
from tests.support.answered import answered
from tests.support.tensors import tensor_manifest

OUTPUTS = (
    Tensor(name="y", dtype="float32", shape=("batch", 2)),
    Tensor(name="n", dtype="int64", shape=("batch",)),
    Tensor(name="ok", dtype="bool", shape=("batch",)),
)
BLOCK = answered(
    {
        "y": np.array([[0, 0], [1, 1], [2, 2]], dtype=np.float32),
        "n": np.array([0, 1, 2]),
        "ok": np.array([True, True, True]),
    },
    errors={1: ("x is [4]", "bad_shape")},
)


@contextmanager
def filled(folder: Path, outputs: tuple[Tensor, ...] = OUTPUTS) -> Iterator[list[OutputArray]]:
    folder.mkdir()
    arrays = [OutputArray(folder, number, tensor) for number, tensor in enumerate(outputs)]
    for array in arrays:
        array.add(BLOCK)
        array.commit()
    yield arrays
    for array in arrays:
        array.close()


def test_arrays_have_a_row_for_each_and_say_which_failed(tmp_path: Path) -> None:
    with filled(tmp_path / "run") as arrays:
        write(Path("out.npz"), tmp_path / "out.npz", arrays, [BLOCK])

    with np.load(tmp_path / "out.npz") as found:
        assert np.array_equal(found["y"], [[0, 0], [np.nan, np.nan], [2, 2]], equal_nan=True)
        assert (found["n"].tolist(), found["ok"].tolist()) == ([0, 0, 2], [True, False, True])
        errors = [found[name].tolist() for name in ("error_rows", "error_codes", "errors")]
    assert errors == [[1], ["bad_shape"], ["x is [4]"]]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        with filled(tmp_path / name) as arrays:
            write(Path("out.npz"), tmp_path / f"{name}.npz", arrays, [BLOCK])

    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


def test_a_lone_array_is_what_numpy_saves(tmp_path: Path) -> None:
    with filled(tmp_path / "run", OUTPUTS[:1]) as arrays:
        write(Path("out.npy"), tmp_path / "out.npy", arrays, [BLOCK])

    assert np.array_equal(np.load(tmp_path / "out.npy"), [[0, 0], [np.nan, np.nan], [2, 2]], equal_nan=True)


def test_rows_that_are_not_kept_are_dropped(tmp_path: Path) -> None:
    with filled(tmp_path / "run") as (y, *_):
        y.keep(2)

        assert y.count() == 2


@pytest.mark.parametrize(
    ("output", "changes", "said"),
    [
        ("a.npy", {}, "an .npy file holds one array, and the model answers y, total: use .npz"),
        ("a.npz", {"outputs": (Tensor(name="y", dtype="float32", shape=("batch", "n")),)}, r"y \[batch, n\] varies"),
        (
            "a.npz",
            {"outputs": (Tensor(name="errors", dtype="float32", shape=("batch",)),)},
            "an output is called errors",
        ),
    ],
)
def test_what_cannot_be_arrays_is_refused(output: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check(Path(output), tensor_manifest(**changes))


def test_answers_of_other_tasks_are_no_arrays() -> None:
    with pytest.raises(UsageError, match="arrays are for bare tensors; colours is for image-classification"):
        check(Path("a.npz"), described())
