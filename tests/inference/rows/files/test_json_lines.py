from pathlib import Path

import pytest

from lit_infer.errors import InputError
from lit_infer.rows.blocks import RowBlock, joined
from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.facts import NumberColumn, RowFields, TableColumn
from lit_infer.rows.files import Wanted
from lit_infer.rows.files.json_lines import READER

FIELDS = ColumnFields(
    RowFields(columns=tuple(TableColumn(name=name, number=NumberColumn()) for name in ("age", "size")))
)


def rows(path: Path, text: str, wanted: Wanted) -> RowBlock:
    (path / "a.jsonl").write_text(text)
    return joined(list(READER.blocks(path / "a.jsonl", wanted, 2)))


def test_each_line_is_a_row_and_what_it_lacks_is_missing(tmp_path: Path) -> None:
    text = '{"age": 1, "size": 2, "id": "a"}\n\n{"size": null, "id": 7}\n{"age": 3, "size": 4.5}\n'

    found = rows(tmp_path, text, Wanted(FIELDS, {}, ("id",)))

    assert found.columns == {"age": [1, None, 3], "size": [2, None, 4.5]}
    assert found.kept == {"id": ["a", 7, None]}
    assert found.errors == {}


def test_a_line_that_is_no_object_fails_alone(tmp_path: Path) -> None:
    text = '{"age": 1, "size": 2}\n{"age": 1,\n[1, 2]\n{"age": 3, "size": 4}'

    found = rows(tmp_path, text, Wanted(FIELDS, {}))

    assert {row: error.code for row, error in found.errors.items()} == {1: "bad_row", 2: "bad_row"}
    assert "the line is list, not an object" in str(found.errors[2])


def test_a_file_of_something_else_is_said_once_and_not_for_each_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no age in it, only text"):
        rows(tmp_path, '{"text": "a"}\n', Wanted(FIELDS, {}))
    with pytest.raises(InputError, match="it has no rows"):
        rows(tmp_path, "\n", Wanted(FIELDS, {}))
