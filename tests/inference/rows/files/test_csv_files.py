from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lit_infer.errors import InputError
from lit_infer.rows.blocks import RowBlock, joined
from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.facts import NumberColumn, RowFields, TableColumn
from lit_infer.rows.files import Wanted, csv_files
from lit_infer.rows.files.csv_files import READER

FIELDS = ColumnFields(
    RowFields(columns=tuple(TableColumn(name=name, number=NumberColumn()) for name in ("age", "size")))
)
WANTED = Wanted(FIELDS, {}, ("id",))


def rows(path: Path, data: bytes | str, wanted: Wanted = WANTED, size: int = 2) -> RowBlock:
    (path / "a.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    return joined(list(READER.blocks(path / "a.csv", wanted, size)))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_is_read_as_spreadsheets_write_it(tmp_path: Path, delimiter: str, end: str, mark: str) -> None:
    lines = ["id,size,age", "a,1,2", "b,3,4", "", '"c,d",5,6']
    text = mark + end.join(line if "d" in line and line[0] == '"' else line.replace(",", delimiter) for line in lines)
    text = text.replace('"c,d",5,6', f'"c,d"{delimiter}5{delimiter}6')

    found = rows(tmp_path, text)

    assert found.columns == {"age": ["2", "4", "6"], "size": ["1", "3", "5"]}
    assert found.kept == {"id": ["a", "b", "c,d"]}


def test_a_line_of_another_length_fails_alone(tmp_path: Path) -> None:
    found = rows(tmp_path, "id,size,age\na,1,2\nb,3\nc,4,5,6\nd,7,8\n")

    assert {row: str(error) for row, error in found.errors.items()} == {
        1: "it has 2 values and the header 3",
        2: "it has 4 values and the header 3",
    }
    assert found.kept["id"] == ["a", None, None, "d"]


def test_a_quote_that_is_never_closed_does_not_take_the_memory(tmp_path: Path) -> None:
    found = rows(tmp_path, 'id,size,age\na,"1,2\n' + "b,3,4\n" * 40_000)

    assert found.errors[0].code == "bad_row"
    assert "field larger than field limit" in str(found.errors[0])


def test_bytes_that_are_no_text_are_told_and_harm_only_their_row(tmp_path: Path) -> None:
    found = rows(tmp_path, b"id,size,age\na,1,2\nb,\xff,4\nc,3,4\n")

    assert {row: str(error) for row, error in found.errors.items()} == {1: "it is not UTF-8: save the file as UTF-8"}
    with pytest.raises(InputError, match="it is not UTF-8"):
        rows(tmp_path, "id,size,age\na,1,2\n".encode("utf-16"))


@pytest.mark.parametrize("rest", ["b,3,4\nc,5,6\n", "b,3,4\n" * 30_000])
def test_a_quote_that_is_never_closed_swallows_no_row_in_silence(tmp_path: Path, rest: str) -> None:
    found = rows(tmp_path, f'id,size,age\na,1,2\n"b,3,4\n{rest}')

    assert (found.count, list(found.errors)) == (2, [1])
    assert str(found.errors[1]).endswith("a quote is never closed, and what follows is left out")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty: the first line has the names"),
        ("\nid,age,size\n", "its first line is blank, and should have the names of the columns"),
        (",,\n1,2,3\n", "its first line has no names of columns, only separators"),
        ('id,"age,size\n1,2,3\n', "its header cannot be read"),
        ("id,age,age\n", "two of its columns are called age"),
        ("id,size\n1,2\n", "there is no age in it, only id, size"),
    ],
)
def test_a_table_without_a_usable_header_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        rows(tmp_path, text)


def test_a_column_may_have_another_name(tmp_path: Path) -> None:
    wanted: Any = Wanted(FIELDS, {"age": "alter"})

    assert rows(tmp_path, "alter,size\n1,2\n", wanted).columns["age"] == ["1"]


def test_a_header_may_have_separators_and_lines_in_its_quotes_and_columns_without_a_name(tmp_path: Path) -> None:
    found = rows(tmp_path, '"id, own";"age\n(years)";size;;\na;1;2;;\n', Wanted(FIELDS, {"age": "age\n(years)"}))

    assert found.columns == {"age": ["1"], "size": ["2"]}


def test_a_row_in_quotes_may_go_on_in_the_next_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "id,size,age\n" + "".join(f'"a\nb",{row},{row + 1}\n' for row in range(50))
    whole = rows(tmp_path, text)
    monkeypatch.setattr(csv_files, "_PIECE", 7)

    assert replace(rows(tmp_path, text), read_ms=0) == replace(whole, read_ms=0)
