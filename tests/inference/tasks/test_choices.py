"""lit_infer.tasks.choices: the best classes of a row of scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lit_infer.tasks.choices import Choice, batch_choices, top_choices

SCORES = st.sampled_from([0.0, 0.25, 0.5, 0.5000001, 1.0, float("nan")])


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.sampled_from([1, 2, 12, 64, 65, 90])),
        elements=st.floats(0, 1, width=32),
    ),
    st.integers(1, 15),
)
def test_each_row_of_a_batch_is_answered_as_if_it_were_alone(rows: np.ndarray, top_k: int) -> None:
    assert batch_choices(rows, labels=None, top_k=top_k) == [top_choices(row, labels=None, top_k=top_k) for row in rows]


@pytest.mark.parametrize("padding", [0, 200])  # few classes are sorted, many are partitioned
@given(st.lists(st.lists(SCORES, min_size=5, max_size=5), min_size=1, max_size=6), st.integers(1, 7))
def test_the_best_come_first_then_the_lower_index_and_numbers_before_what_is_none(
    padding: int, values: list[list[float]], top_k: int
) -> None:
    rows = np.array([[*row, *[-1.0] * padding] for row in values], dtype=np.float32)

    found = batch_choices(rows, labels=None, top_k=top_k)

    for row, top in zip(rows.tolist(), found, strict=True):
        order = sorted(range(len(row)), key=lambda i: (row[i] != row[i], -row[i] if row[i] == row[i] else 0, i))
        assert [choice.index for choice in top] == order[:top_k]


def test_more_choices_than_classes_are_all_classes() -> None:
    (found,) = batch_choices(np.array([[0.25, 0.75]], dtype=np.float32), labels=("a", "b"), top_k=9)

    assert found == (Choice("b", 1, 0.75), Choice("a", 0, 0.25))


def test_without_labels_the_index_is_the_label() -> None:
    assert top_choices(np.array([0.25, 0.75], dtype=np.float32), labels=None, top_k=1) == (Choice("1", 1, 0.75),)


def test_no_rows_give_no_choices() -> None:
    assert batch_choices(np.zeros((0, 3), dtype=np.float32), labels=None, top_k=2) == []


def test_no_classes_give_no_choices() -> None:
    assert top_choices(np.zeros(0, dtype=np.float32), labels=None, top_k=2) == ()
