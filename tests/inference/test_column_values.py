import numpy as np
import pytest

from lit_infer.column_values import ChoicesColumn, DictionaryColumn, RaggedColumn, chained, value_at


def test_values_that_repeat_are_those_that_were_given() -> None:
    column = DictionaryColumn.of(["b", None, "b", "a"])

    assert list(column) == ["b", None, "b", "a"]
    assert (column[2], list(column[1:3]), len(column), list(column.values)) == ("b", [None, "b"], 4, ["b", None, "a"])


def test_dictionaries_are_joined_and_equal_values_of_two_types_stay_apart() -> None:
    columns = [DictionaryColumn(np.array([0, 1]), [1, True]), DictionaryColumn(np.array([1, 0]), ["a", 1.0])]

    assert list(map(repr, chained(columns))) == ["1", "True", "1.0", "'a'"]
    assert list(chained([columns[0], columns[0]])) == [1, True, 1, True]
    assert list(chained([columns[0], ["x"]])) == [1, True, "x"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (np.array([1, 2]), 2),
        (np.array([[1, 2], [3, 4]]), [3, 4]),
        (RaggedColumn(np.arange(3), np.array([1, 2])), [1, 2]),
        (["a", None], None),
        (
            ChoicesColumn(np.array([[0], [1]]), np.array([[0.5], [0.25]]), None),
            [{"label": "1", "index": 1, "score": 0.25}],
        ),
    ],
)
def test_a_row_has_plain_data(column: object, value: object) -> None:
    assert repr(value_at(column, 1)) == repr(value)  # type: ignore[arg-type]
