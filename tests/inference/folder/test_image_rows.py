"""lit_infer.folder.image_rows: files whose rows name several images."""

import json
from pathlib import Path

import pytest

from lit_infer.errors import InputError, NotFoundError, UsageError
from lit_infer.folder.image_rows import ImageRows, of_rows, paths
from lit_infer.folder.search import Search
from lit_infer.folder.sources import FileSource, Folder, Inputs, Item

NAMES = ("before", "after")


def written(folder: Path, text: str, name: str = "pairs.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def items(path: Path, **columns: str) -> list[Item]:
    return list(ImageRows(path, NAMES, columns).items())


def why(item: Item) -> tuple[str, str]:
    assert isinstance(item.content, InputError)
    return str(item.content), item.content.code


def test_a_row_names_an_image_in_each_column_relative_to_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "id,after,before\n1,b/2.png,a/1.png\n2,/else/4.png,a/3.png\n")

    first, second = items(path)

    assert (first.name, second.name) == (f"{path}#0", f"{path}#1")
    assert first.content == {"before": tmp_path / "a/1.png", "after": tmp_path / "b/2.png"}
    assert second.content == {"before": tmp_path / "a/3.png", "after": Path("/else/4.png")}
    assert first.images == {"before": "a/1.png", "after": "b/2.png"}


def test_columns_may_be_called_otherwise(tmp_path: Path) -> None:
    path = written(tmp_path, "t0,after\n1.png,2.png\n")

    (item,) = items(path, before="t0")

    assert item.content == {"before": tmp_path / "1.png", "after": tmp_path / "2.png"}
    ((text, code),) = map(why, items(path))
    assert text.startswith("there is no before in it, only t0, after")
    assert code == "missing"


@pytest.mark.parametrize(
    ("row", "message", "code"),
    [
        ('{"before": "a.png"}', "after is missing", "missing"),
        ('{"before": "", "after": "b.png"}', "before is missing", "missing"),
        ('{"before": null, "after": "b.png"}', "before is missing", "missing"),
        ('{"before": 3, "after": "b.png"}', "before is no path: '3'", "bad_value"),
        ('{"before": "a\\u0000.png", "after": "b.png"}', "before is no path: ", "bad_value"),
        ('{"before": "%s", "after": "b.png"}' % ("a" * 5000), "before is no path: ", "bad_value"),
        ('{"before": "a.png", "after": "https://a.b/c.png"}', "after is a URL", "not_local"),
        ("[1]", "the line is list, not an object", "bad_row"),
    ],
)
def test_a_bad_row_says_which_image_it_is_and_harms_no_other(tmp_path: Path, row: str, message: str, code: str) -> None:
    good = json.dumps({"before": "a.png", "after": "b.png"})
    path = written(tmp_path, f"{good}\n{row}\n{good}\n", "pairs.jsonl")

    first, bad, last = items(path)

    assert why(bad)[0].startswith(message)
    assert why(bad)[1] == code
    assert first.content == last.content == {"before": tmp_path / "a.png", "after": tmp_path / "b.png"}


def test_a_file_that_cannot_be_read_is_one_item(tmp_path: Path) -> None:
    (item,) = items(tmp_path / "none.csv")

    assert (item.name, item.images) == ((tmp_path / "none.csv").as_posix(), {"before": None, "after": None})
    assert why(item)[1] == "not_found"


def test_only_files_of_rows_are_taken(tmp_path: Path) -> None:
    path = written(tmp_path, "before,after\n")

    assert of_rows(Inputs([FileSource(path)]), NAMES, {}, model="m").sources == [ImageRows(path, NAMES, {})]
    for source in (FileSource(tmp_path / "a.png"), Folder(Search(tmp_path))):
        with pytest.raises(
            UsageError, match=r"m takes before and after for each answer, and not single images: .* pairs"
        ):
            of_rows(Inputs([source]), NAMES, {}, model="m")
    with pytest.raises(UsageError, match="--column bfore=x: the model takes before, after"):
        of_rows(Inputs([FileSource(path)]), NAMES, {"bfore": "x"}, model="m")


def test_for_a_proof_each_row_must_be_good(tmp_path: Path) -> None:
    path = written(tmp_path, "before,after\n1.png,2.png\n,3.png\n")

    found = paths(path, NAMES)

    assert next(found) == (tmp_path / "1.png", tmp_path / "2.png")
    with pytest.raises(UsageError, match="#1: before is missing"):
        next(found)
    with pytest.raises(NotFoundError, match=r"expected a file .* with the columns before, after"):
        next(paths(tmp_path, NAMES))
