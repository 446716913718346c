import re
from typing import Any

import numpy as np
import pytest

from lit_infer.manifest import Tensor
from lit_infer.rows.arrays import ArrayFields

FIELDS = ArrayFields(
    (
        Tensor(name="x", dtype="float32", shape=("batch", 3)),
        Tensor(name="n", dtype="int64", shape=("batch",)),
    )
)
RAGGED = ArrayFields(
    (
        Tensor(name="ids", dtype="int64", shape=("batch", "length")),
        Tensor(name="mask", dtype="bool", shape=("batch", "length")),
    )
)


def good(value: float = 1.0) -> dict[str, Any]:
    return {"x": np.full(3, value, dtype=np.float32), "n": np.int64(value)}


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        (
            {"x": np.zeros(3)},
            "bad_dtype",
            r"x is float64, and the model takes float32: save it with .astype\(np.float32\)",
        ),
        ({"x": np.zeros(4, dtype=np.float32)}, "bad_shape", r"x is \[4\], and the model takes \[3\]"),
        ({"n": np.zeros(1, dtype=np.int64)}, "bad_shape", r"n is \[1\], and the model takes \[\]"),
        ({"n": np.int32(1)}, "bad_dtype", "n is int32, and the model takes int64"),
    ],
)
def test_a_bad_row_says_what_came_and_what_is_needed_and_its_neighbours_stay(
    changed: dict[str, Any], code: str, said: str
) -> None:
    groups, errors = FIELDS.groups(FIELDS.block([good(1), {**good(), **changed}, good(2)]))

    assert errors[1].code == code
    assert re.search(said, str(errors[1]))
    (group,) = groups
    assert [array.tolist() for array in group.arrays] == [[[1] * 3, [0] * 3, [2] * 3], [1, 0, 2]]


def test_a_row_without_an_input_or_that_is_no_row_is_said() -> None:
    _, errors = FIELDS.groups(FIELDS.block([{"x": np.zeros(3, dtype=np.float32)}, 3, good()]))

    assert str(errors[0]) == "the row has no n, which the model takes; it has x"
    assert str(errors[1]) == "a row is a mapping from x, n to arrays, not int"
    assert set(errors) == {0, 1}


def test_one_input_may_come_without_its_name() -> None:
    fields = ArrayFields(FIELDS.tensors[:1])

    (group,), errors = fields.groups(fields.block([np.ones(3, dtype=np.float32)]))

    assert (group.arrays[0].tolist(), errors) == ([[1, 1, 1]], {})


def test_rows_of_other_lengths_are_batches_of_their_own_and_lengths_must_agree() -> None:
    def row(ids: int, mask: int) -> dict[str, Any]:
        return {"ids": np.arange(ids), "mask": np.ones(mask, dtype=bool)}

    groups, errors = RAGGED.groups(RAGGED.block([row(2, 2), row(3, 3), row(2, 2), row(4, 3)]))

    assert [(list(group.rows), group.arrays[0].shape) for group in groups] == [([0, 2], (2, 2)), ([1], (1, 3))]
    assert errors[3].code == "bad_shape"
    assert "mask is [3] in a row, and its length must be as long as in the inputs before it" in str(errors[3])


def test_rows_that_are_all_bad_have_no_batch() -> None:
    groups, errors = FIELDS.groups(FIELDS.block([{}, {}]))

    assert (groups, len(errors)) == ([], 2)
