from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.facts import BooleanColumn, CategoryColumn, NumberColumn, RowFields, TableColumn


def number(**facts: Any) -> ColumnFields:
    return ColumnFields(RowFields(columns=(TableColumn(name="v", number=NumberColumn(**facts)),)))


def category(*vocabulary: str | int, **facts: Any) -> ColumnFields:
    kind = CategoryColumn(vocabulary=vocabulary, **facts)
    return ColumnFields(RowFields(columns=(TableColumn(name="v", category=kind),)))


def prepared(fields: ColumnFields, *values: Any) -> tuple[list[Any], dict[int, str]]:
    """The numbers of each row, and the codes of those that failed."""
    groups, errors = fields.groups(fields.block([{"v": value} for value in values]))
    made = groups[0].arrays[0].tolist() if groups else []
    return [row[0] if len(row) == 1 else row for row in made], {row: error.code for row, error in errors.items()}


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20), st.floats(-1e3, 1e3), st.floats(1e-2, 1e3), st.booleans()
)
def test_numbers_are_standardised_as_scikit_learn_does_it(
    values: list[float], mean: float, scale: float, single: bool
) -> None:
    precision = "float32" if single else "float64"
    theirs = np.array(values, dtype=precision)
    theirs -= np.float64(mean)  # as StandardScaler.transform, in place
    theirs /= np.float64(scale)

    for given_values in (values, list(map(repr, values))):
        made, errors = prepared(number(mean=mean, scale=scale, precision=precision), *given_values)
        assert np.array_equal(np.array(made, dtype=np.float32), theirs.astype(np.float32))
        assert errors == {}


@pytest.mark.parametrize("missing", [None, "", " ", "NA", "nan", float("nan")])
def test_a_missing_number_is_filled_where_that_is_said_and_else_fails_alone(missing: Any) -> None:
    assert prepared(number(missing=5.0, mean=1), 3, missing, 4) == ([2, 4, 3], {})
    assert prepared(number(), 3, missing, 4) == ([3, 0, 4], {1: "missing"})


@pytest.mark.parametrize(
    "value", ["three", "1,5", "1_0", "\u0661\u0662", True, [1], "inf", float("-inf"), 1e300, 10**400, {}]
)
def test_what_is_no_finite_number_fails_alone(value: Any) -> None:
    assert prepared(number(), 1, value, 2) == ([1, 0, 2], {1: "bad_value"})


def test_an_array_of_numbers_is_taken_as_it_is() -> None:
    fields = number(mean=1)
    block = fields.block([{"v": None}])
    block = type(block)(3, {"v": np.array([1, 2, 3])})

    (group,), errors = fields.groups(block)

    assert (group.arrays[0].ravel().tolist(), errors) == ([0, 1, 2], {})


def test_categories_become_their_index_whatever_their_type_in_the_file() -> None:
    assert prepared(category("a", "b"), "b", "a") == ([1, 0], {})
    assert prepared(category(10, 20), 20, "20", 20.0, np.int64(10)) == ([1, 1, 1, 0], {})
    assert prepared(category("True", "False"), True, "False") == ([0, 1], {})


def test_an_unknown_or_missing_category_has_an_index_or_is_an_error() -> None:
    assert prepared(category("a", unknown=1, missing=0), "z", None, "") == ([1, 0, 0], {})
    assert prepared(category("a"), "z", None, "a") == ([0, 0, 0], {0: "unknown_category", 1: "missing"})


def test_one_hot_is_a_one_among_zeros_and_an_unknown_one_zeros() -> None:
    assert prepared(category("a", "b", one_hot=True, unknown=-1), "b", "z") == ([[0, 1], [0, 0]], {})


def test_true_and_false_in_every_spelling() -> None:
    fields = ColumnFields(RowFields(columns=(TableColumn(name="v", boolean=BooleanColumn(missing=0.5)),)))

    assert prepared(fields, True, "false", 1, "0", "YES", None, np.True_) == ([1, 0, 1, 0, 1, 0.5, 1], {})
    assert prepared(fields, "maybe", True) == ([0, 1], {0: "bad_value"})


def test_columns_go_to_their_inputs_in_order_and_a_bad_row_is_zeros_in_all() -> None:
    facts = RowFields(
        columns=(
            TableColumn(name="job", category=CategoryColumn(vocabulary=("a", "b", "c"))),
            TableColumn(name="age", number=NumberColumn()),
            TableColumn(name="size", number=NumberColumn()),
        ),
        inputs={"numbers": ("size", "age"), "jobs": ("job",)},
    )
    rows = [{"job": "c", "age": 1, "size": 2}, {"job": "z", "age": 3, "size": 4}, {"age": 1}, 7]

    (group,), errors = ColumnFields(facts).groups(ColumnFields(facts).block(rows))

    assert [array.tolist() for array in group.arrays] == [[[2, 1]] + [[0, 0]] * 3, [[2], [0], [0], [0]]]
    assert [array.dtype for array in group.arrays] == [np.float32, np.int64]
    assert {row: str(error) for row, error in errors.items()} == {
        1: "job is 'z', which is none of its 3 categories",
        2: "the row has no job, size",
        3: "a row is a mapping, not int",
    }
