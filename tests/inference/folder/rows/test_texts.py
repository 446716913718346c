import numpy as np
import pytest

from lit_infer.column_values import ChoicesColumn, DictionaryColumn
from lit_infer.folder.rows.answered import OutputColumn
from lit_infer.folder.rows.texts import as_json, of_csv, of_json

CHOICES = ChoicesColumn(np.array([[1, 0]]), np.array([[0.75, 0.25]], dtype=np.float32), ("a", "b"))


@pytest.mark.parametrize(
    ("values", "json_texts", "csv_texts"),
    [
        (np.array([1.5, np.nan]), ["1.5", "null"], ["1.5", "nan"]),
        (np.array([[1, 2]]), ["[1, 2]"], ['"[1, 2]"']),
        (["a", 'b"'], ['"a"', '"b\\""'], ["a", '"b"""']),
        (DictionaryColumn(np.array([1, 0]), ["x,", None]), ["null", '"x,"'], ["", '"x,"']),
        (
            CHOICES,
            ['[{"label": "b", "index": 1, "score": 0.75}, {"label": "a", "index": 0, "score": 0.25}]'],
            [
                '"[{""label"": ""b"", ""index"": 1, ""score"": 0.75}, '
                '{""label"": ""a"", ""index"": 0, ""score"": 0.25}]"'
            ],
        ),
    ],
)
def test_cells_are_texts(values: object, json_texts: list[str], csv_texts: list[str]) -> None:
    column = OutputColumn(values)  # type: ignore[arg-type]

    assert (of_json(column), of_csv(column)) == (json_texts, csv_texts)


def test_a_row_without_a_value_has_the_filler() -> None:
    column = OutputColumn(np.array([1, 2]), np.array([False, True]), [])

    assert (of_json(column), of_csv(column)) == (["1", "[]"], ["1", "[]"])


def test_what_json_has_no_word_for_is_null_and_a_text_stays() -> None:
    assert as_json({"a": [float("inf"), 1.0], "b": "NaN"}) == '{"a": [null, 1.0], "b": "NaN"}'
