"""A table beside images: what it says of each, and what is wrong with it."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder.metadata import TABLES, columns, read, table_of

names = st.lists(st.text("abcxyz ", min_size=1, max_size=5), min_size=1, max_size=4, unique=True)


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    """The rows as a table of either kind."""
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@given(labels=names, values=st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), kind=st.sampled_from(TABLES))
def test_both_kinds_give_each_image_its_numbers_in_the_order_that_is_asked_for(
    tmp_path_factory: pytest.TempPathFactory, labels: list[str], values: list[float], kind: str
) -> None:
    folder = tmp_path_factory.mktemp("table")
    row = {"file_name": "a/1.png", **dict(zip(labels, values, strict=False))}
    table = written(folder / kind, [row])

    assert columns(table) == tuple(labels)
    assert list(read(table, names=labels[::-1])) == [(folder / "a/1.png", tuple(row[name] for name in labels[::-1]))]
    assert list(read(table, names=None, size=len(labels))) == list(read(table, names=labels))


def test_a_folder_has_one_table(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"metadata\.csv or metadata\.jsonl"):
        table_of(tmp_path)
    (tmp_path / "metadata.jsonl").touch()
    assert table_of(tmp_path) == tmp_path / "metadata.jsonl"
    (tmp_path / "metadata.csv").touch()
    with pytest.raises(UsageError, match="keep one of them"):
        table_of(tmp_path)


@pytest.mark.parametrize(
    ("text", "wanted", "says"),
    [
        ("", None, "has no rows"),
        ('{"cat": 1}\n', None, "has no column file_name; it has cat"),
        ('{"file_name": "a.png", "cat": 1}\n', ["dog"], "has no column dog; it has file_name, cat"),
        ('{"file_name": "a.png", "cat": "yes"}\n', None, "row 1: cat is 'yes', not a number"),
        ('{"file_name": "a.png", "cat": null}\n', None, "row 1: cat is None, not a number"),
        ('{"file_name": "a.png", "cat": NaN}\n', None, "row 1: cat is nan, not a number"),
        ("no json", None, "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, wanted: list[str] | None, says: str) -> None:
    (tmp_path / "metadata.jsonl").write_text(text)

    with pytest.raises(UsageError, match=says):
        list(read(tmp_path / "metadata.jsonl", names=wanted))


def test_as_many_columns_as_are_needed_are_asked_for(tmp_path: Path) -> None:
    table = written(tmp_path / "metadata.csv", [{"file_name": "a.png", "cat": 1, "dog": 0}])

    with pytest.raises(UsageError, match="has 2 columns besides file_name; 3 are needed"):
        list(read(table, names=None, size=3))
