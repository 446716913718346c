"""lit_export.inputs.arrays_file: real inputs from an `.npz`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lit_export.inputs.arrays_file import of_file, read
from lit_export.inputs.taken import taken
from lit_infer.errors import UsageError


def test_arrays_are_read_by_name_and_given_to_the_arguments(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", input=np.ones((5, 3), dtype=np.float32))

    found = of_file(nn.Linear(3, 2), tmp_path / "rows.npz")

    assert (found.kind, found.source) == ("file", "rows.npz")
    assert taken(nn.Linear(3, 2), found, torch.float32).batches[0][0].shape == (5, 3)


def test_a_name_that_forward_does_not_have_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", inputs=np.ones((5, 3)), input=np.ones((5, 3)))

    with pytest.raises(UsageError, match=r"Linear.forward takes input, and no inputs. Did you mean input\?"):
        of_file(nn.Linear(3, 2), tmp_path / "rows.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.array([{"a": 1}], dtype=object)}, "it holds Python objects"),
        ({"x": np.array(["text"])}, "x is <U4; graphs take bool"),
        ({"x": np.ones(2, dtype=np.complex64)}, "x is complex64"),
        ({"x": np.zeros((0, 3))}, r"x has no rows, \[0, 3\]"),
        ({}, "it holds no arrays"),
    ],
)
def test_arrays_that_no_graph_takes_are_named(
    tmp_path: Path, arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]], message: str
) -> None:
    np.savez(tmp_path / "rows.npz", **arrays)  # type: ignore[arg-type]

    with pytest.raises(UsageError, match=message):
        read(tmp_path / "rows.npz")


def test_rows_without_columns_are_rows(tmp_path: Path) -> None:
    """A module that takes categories gets none where there are none."""
    np.savez(tmp_path / "rows.npz", x=np.zeros((5, 3)), categories=np.zeros((5, 0), np.int64))

    assert read(tmp_path / "rows.npz")["categories"].shape == (5, 0)


def test_another_kind_of_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "rows.npz").write_bytes(b"PK\x03\x04 nothing")

    with pytest.raises(UsageError, match=r"not an .npz file as np.savez writes it"):
        read(tmp_path / "rows.npz")
    with pytest.raises(UsageError, match="no such file"):
        read(tmp_path / "none.npz")
