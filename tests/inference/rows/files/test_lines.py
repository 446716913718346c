import io
from typing import Any

import pytest

from lit_infer.errors import InputError, UsageError
from lit_infer.rows.blocks import joined
from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.facts import NumberColumn, RowFields, TableColumn
from lit_infer.rows.files import Wanted
from lit_infer.rows.files.lines import blocks


def fields(*names: str) -> Any:
    """Of these names: what lines are does not depend on what becomes of them."""
    return ColumnFields(RowFields(columns=tuple(TableColumn(name=name, number=NumberColumn()) for name in names)))


def test_each_line_is_a_text_and_an_empty_one_an_empty_text() -> None:
    found = joined(list(blocks(io.BytesIO(b"one\r\n\ntwo \xc3\xa9\n\xff"), Wanted(fields("text"), {}), 2)))

    assert found.columns["text"] == ["one", "", "two é", "\udcff"]


def test_a_line_that_is_too_long_fails_alone() -> None:
    data = b"a\n" + b"b" * 9_000_000 + b"\nc\n"

    found = joined(list(blocks(io.BytesIO(data), Wanted(fields("text"), {}), 64)))

    assert (found.count, {row: error.code for row, error in found.errors.items()}) == (3, {1: "too_long"})
    assert found.columns["text"][2] == "c"


def test_lines_have_no_other_columns() -> None:
    with pytest.raises(InputError, match="a line has one text"):
        list(blocks(io.BytesIO(b"x\n"), Wanted(fields("a", "b"), {}), 2))
    with pytest.raises(UsageError, match="--keep id: there is no such column"):
        list(blocks(io.BytesIO(b"x\n"), Wanted(fields("a"), {}, ("id",)), 2))
