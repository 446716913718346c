from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.errors import InputError
from lit_infer.rows.blocks import RowBlock, joined

BAD = InputError("no number", code="missing")


def block(count: int, *, bad: tuple[int, ...] = (), first: int = 0) -> RowBlock:
    numbers = np.arange(first, first + count)
    kept: Any = {"id": [f"r{number}" for number in numbers]}
    return RowBlock(count, {"x": numbers[:, None] * [1, 10]}, dict.fromkeys(bad, BAD), kept, read_ms=float(count))


@given(st.integers(1, 9), st.data())
def test_a_block_that_is_cut_and_joined_again_is_the_same(count: int, data: st.DataObject) -> None:
    whole = block(count, bad=tuple(data.draw(st.sets(st.integers(0, count - 1)))))
    at = data.draw(st.integers(0, count))

    again = joined([part for part in (whole.taken(0, at), whole.taken(at, count)) if part.count])

    assert np.array_equal(np.asarray(again.columns["x"]), np.asarray(whole.columns["x"]))
    assert (again.count, again.errors, again.kept) == (whole.count, whole.errors, whole.kept)


def test_every_third_row_is_taken_with_its_error() -> None:
    part = block(8, bad=(1, 4)).taken(1, 8, 3)

    assert (part.count, list(part.kept["id"]), dict(part.errors)) == (3, ["r1", "r4", "r7"], {0: BAD, 1: BAD})


def test_blocks_of_other_columns_or_shapes_do_not_join() -> None:
    one = block(2)

    assert one.joins(block(5))
    assert not one.joins(RowBlock.of_error(BAD))
    assert not one.joins(RowBlock(2, {"x": np.zeros((2, 3), dtype=np.int64)}, kept={"id": ["a", "b"]}))
    assert not one.joins(RowBlock(2, {"x": np.zeros((2, 2), dtype=np.float32)}, kept={"id": ["a", "b"]}))


def test_ragged_columns_are_joined_as_lists() -> None:
    ragged = RowBlock(2, {"x": [np.zeros(1), np.zeros(2)]})

    found = joined([ragged, RowBlock(1, {"x": [np.zeros(3)]})])

    assert [len(value) for value in found.columns["x"]] == [1, 2, 3]
