"""lit_export.inputs.values: rows like those of an example, never outside what it shows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lit_export.inputs.values import fitted, mixed, shows_values


def drawn(shown: NDArray[np.generic], *, count: int = 200, is_loose: bool = True) -> NDArray[np.generic]:
    rows = np.resize(shown, (count, *shown.shape[1:]))
    kept = np.zeros(count, dtype=bool)
    return mixed(np.random.default_rng(0), shown, rows, kept, scale=1.0, is_loose=is_loose)


def test_each_column_of_integers_stays_within_its_own_values() -> None:
    found = drawn(np.array([[39, 8, 2], [0, 0, 0]]))

    assert found.max(0).tolist() == [39, 8, 2]
    assert found.min(0).tolist() == [0, 0, 0]


def test_the_integers_of_an_only_row_change_places_or_stay() -> None:
    row = np.array([[3, 7, 5]])

    assert set(drawn(row).ravel().tolist()) == {3, 4, 5, 6, 7}
    np.testing.assert_array_equal(drawn(row, is_loose=False), np.resize(row, (200, 3)))


def test_floats_stay_within_their_elements_ranges_or_that_of_the_only_row() -> None:
    several = drawn(np.array([[0.5, 10.5], [1.5, 20.25]], dtype=np.float32))
    only = drawn(np.array([[0.01, 2.5]], dtype=np.float32))

    assert (several.min(0) >= [0.5, 10.5]).all()
    assert (several.max(0) <= [1.5, 20.25]).all()
    assert 0.01 <= only.min() < only.max() <= 2.5
    assert several.dtype == np.float32


def test_whole_numbers_stay_whole_as_floats() -> None:
    found = drawn(np.array([[0.0, 5.0], [1.0, 9.0]]))

    np.testing.assert_array_equal(found, np.round(found))


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_an_example_of_one_value_shows_only_a_shape(value: float) -> None:
    shown = np.full((2, 8), value, dtype=np.float32)

    assert not shows_values(shown)
    assert drawn(shown).min() < -1 < 1 < drawn(shown).max()


def test_a_scalar_shows_its_one_value() -> None:
    assert set(drawn(np.array([0.7])).tolist()) == {0.7}


def test_padding_stays_at_its_end_and_has_every_length_that_is_shown() -> None:
    found = drawn(np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]]))

    assert set(found.sum(-1).tolist()) == {2, 3, 4}
    assert (np.diff(found, axis=-1) <= 0).all()
    left = drawn(np.array([[False, False, True]]))
    assert set(left.sum(-1).tolist()) == {1, 2, 3}
    assert (np.diff(left.astype(int), axis=-1) >= 0).all()


def test_other_masks_have_any_pattern_but_no_empty_line_unless_one_is_shown() -> None:
    found = drawn(np.array([[True, False, True], [False, True, True]]))
    with_empty = drawn(np.array([[True, False, True], [False, False, False]]))

    assert len(np.unique(found, axis=0)) == 6
    assert len(np.unique(with_empty, axis=0)) == 7


def test_kept_rows_are_the_example_s_own() -> None:
    shown = np.array([[1.5, 2.5], [3.5, 4.5]])
    kept = np.array([True, False, True])

    found = mixed(np.random.default_rng(0), shown, shown[[0, 1, 1]], kept, scale=1.0, is_loose=True)

    np.testing.assert_array_equal(found[kept], shown)


def test_rows_are_cut_or_repeated_to_other_lengths() -> None:
    rows = np.array([[1, 2, 3]])

    np.testing.assert_array_equal(fitted(rows, (2,)), [[1, 2]])
    np.testing.assert_array_equal(fitted(rows, (5,)), [[1, 2, 3, 1, 2]])
