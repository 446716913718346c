"""Rows against a graph: whatever the graph's batch, each row gets its own answer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lit_infer.batching.rows import filled, full, joined, run, split

counts = st.lists(st.integers(1, 4), min_size=1, max_size=5)


def column(start: int, count: int) -> NDArray[Any]:
    return np.arange(start, start + count)[:, None]


@given(count=st.integers(1, 20), size=st.none() | st.integers(1, 7))
def test_every_row_gets_its_answer_and_the_graph_no_other_batch_than_its_own(count: int, size: int | None) -> None:
    seen: list[int] = []

    def graph(arrays: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        seen.append(len(arrays[0]))
        return [arrays[0] * 2, arrays[0] + arrays[1]]

    double, total = run(graph, [column(1, count), column(100, count)], count=count, size=size)

    assert set(seen) == {size or count}
    assert sum(seen) == full(count, size) >= count
    np.testing.assert_array_equal(double, column(1, count) * 2)
    np.testing.assert_array_equal(total, column(1, count) + column(100, count))


@given(sizes=counts)
def test_what_was_joined_is_split_into_what_it_was(sizes: list[int]) -> None:
    parts = [(column(10 * index, size), column(-10 * index, size)) for index, size in enumerate(sizes)]

    found = split(joined(parts), sizes)

    for part, back in zip(parts, found, strict=True):
        for one, other in zip(part, back, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("rows", "expected"), [(1, [1, 2]), (2, [1, 2]), (4, [1, 2, 0, 0])])
def test_missing_rows_are_zeros_of_the_same_dtype(rows: int, expected: list[int]) -> None:
    found = filled(np.array([1, 2], dtype=np.uint8), rows)

    assert (found.tolist(), found.dtype) == (expected, np.uint8)
