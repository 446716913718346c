import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import COLUMNS, Summary, _below, check_output, list_images, row, run
from lit_infer.predictor import Choice, Prediction, Predictor
from tests.inference.tiny import LABELS, colour, save


def touched(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def names(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def predict(predictor: Predictor, paths: list[Path], output: Path | None = None) -> Summary:
    return run(predictor, paths, top_k=2, batch_size=4, output=output)


def test_a_folder_is_searched_to_its_depth_and_listed_in_order(tmp_path: Path) -> None:
    touched(tmp_path, "b/2.png", "b/10.jpg", "a.webp", "c/d/e.tiff", "B/1.png")

    assert names(tmp_path, list_images([tmp_path])) == ["B/1.png", "a.webp", "b/10.jpg", "b/2.png", "c/d/e.tiff"]


def test_suffixes_count_in_any_case_and_other_files_do_not(tmp_path: Path) -> None:
    touched(tmp_path, "a.JPG", "b.Jpeg", "c.txt", "d", "e.png.bak", "png", "f.PNG")

    assert names(tmp_path, list_images([tmp_path])) == ["a.JPG", "b.Jpeg", "f.PNG"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    touched(tmp_path, ".hidden.png", ".cache/a.png", "b/.git/c.png", "b/d.png")

    assert names(tmp_path, list_images([tmp_path])) == ["b/d.png"]


def test_what_is_named_is_kept_whatever_it_is_called(tmp_path: Path) -> None:
    touched(tmp_path, "upload", ".hidden.png", ".cache/a.png")

    named = [tmp_path / "upload", tmp_path / ".hidden.png", tmp_path / ".cache"]

    assert names(tmp_path, list_images(named)) == ["upload", ".hidden.png", ".cache/a.png"]


def test_the_order_of_the_arguments_is_kept_and_each_image_comes_once(tmp_path: Path) -> None:
    touched(tmp_path, "a/1.png", "a/2.png", "b/3.png")

    named = [tmp_path / "b", tmp_path / "a/2.png", tmp_path / "a", tmp_path / "b/3.png"]

    assert names(tmp_path, list_images(named)) == ["b/3.png", "a/2.png", "a/1.png"]


def test_a_folder_without_images_is_an_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    touched(tmp_path, "a/1.png", "empty/readme.txt")

    with pytest.raises(NotFoundError, match=r"no images below .*empty/ \(looked for \.bmp .*\.webp\)"):
        list_images([tmp_path / "a", tmp_path / "empty"])


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no such file or folder: .*nowhere\.png"):
        list_images([tmp_path / "nowhere.png"])


def test_the_rows_of_a_jsonl_file_are_the_predictions(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    paths = list_images([colours])

    summary = predict(predictor, paths, tmp_path / "out.jsonl")

    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["path"] for line in lines] == [path.as_posix() for path in paths]
    assert [line["label"] for line in lines] == [path.parent.name for path in paths]
    assert all(tuple(line) == COLUMNS for line in lines)
    assert all(len(line["top"]) == 2 and line["model"] == "colours@0123456789ab" for line in lines)
    assert lines == [row(prediction, model="colours@0123456789ab") for prediction in summary.predictions]
    assert summary.output == tmp_path / "out.jsonl"


def test_a_csv_file_says_the_same_as_a_jsonl_file(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    paths = [*list_images([colours]), tmp_path / 'missing, with a comma and a "quote".png']

    predict(predictor, paths, tmp_path / "out.jsonl")
    predict(predictor, paths, tmp_path / "out.csv")

    with (tmp_path / "out.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert tuple(table[0]) == COLUMNS
    for cells, line in zip(table, lines, strict=True):
        assert json.loads(cells.pop("top")) == line.pop("top")
        assert cells == {name: "" if value is None else str(value) for name, value in line.items()}


def test_an_unreadable_image_is_a_row_with_its_error(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    broken = touched(tmp_path, "broken.png") / "broken.png"

    summary = predict(predictor, [colours / "red/100.png", broken, colours / "blue/250.png"], tmp_path / "out.jsonl")

    first, second, third = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert (first["label"], third["label"]) == ("red", "blue")
    assert (second["error"], second["code"], second["label"], second["top"]) == ("the file is empty", "empty", None, [])
    assert [prediction.path for prediction in summary.failed] == [str(broken)]


def test_the_same_name_in_two_folders_gives_two_rows(predictor: Predictor, tmp_path: Path) -> None:
    save(tmp_path / "a/cat.png", colour("red"))
    save(tmp_path / "b/cat.png", colour("blue"))

    predict(predictor, list_images([tmp_path]), tmp_path / "out.jsonl")

    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {row["path"]: row["label"] for row in rows} == {
        (tmp_path / "a/cat.png").as_posix(): "red",
        (tmp_path / "b/cat.png").as_posix(): "blue",
    }


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("name", ["Grüße 図.png", "new\nline.png", b"\xff\xfe.png"])
def test_any_name_that_a_file_may_have_can_be_written(
    name: str | bytes, suffix: str, predictor: Predictor, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(name)
    shutil.copyfile(save(tmp_path / "plain.png", colour("green")), path)

    summary = predict(predictor, [path], tmp_path / f"out{suffix}")

    assert summary.predictions[0].label == "green"
    with (tmp_path / f"out{suffix}").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        found = next(csv.DictReader(file)) if suffix == ".csv" else json.loads(file.readline())
    written, meant = (text.encode(errors="backslashreplace") for text in (found["path"], path.as_posix()))
    assert (written, found["label"]) == (meant, "green")


def test_without_an_output_nothing_is_written(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    summary = predict(predictor, list_images([colours]))

    assert len(summary.predictions) == 12
    assert summary.output is None
    assert os.listdir(tmp_path) == []


def test_progress_is_told_once_per_image(predictor: Predictor, colours: Path) -> None:
    told: list[Prediction] = []

    summary = run(predictor, list_images([colours]), top_k=1, batch_size=5, output=None, advance=told.append)

    assert tuple(told) == summary.predictions


def test_a_run_that_is_broken_off_leaves_the_old_output(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("old\n")

    def stop(_: Prediction) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(predictor, list_images([colours]), top_k=1, batch_size=2, output=output, advance=stop)

    assert output.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["out.jsonl"]


def summary(*pairs: tuple[str, str | None]) -> Summary:
    """A run over these paths with these labels; None for an image that could not be read."""
    predictions = tuple(
        Prediction(path, label=label, index=0, score=1.0, top=(Choice(label, 0, 1.0),))
        if label
        else Prediction(path, error="the file is empty", code="empty")
        for path, label in pairs
    )
    return Summary(predictions, seconds=1.0, output=None)


def test_the_accuracy_counts_images_that_lie_in_the_folder_of_their_class() -> None:
    found = summary(("x/red/1.png", "red"), ("x/red/2.png", "blue"), ("y/blue/1.png", "blue"))

    assert found.accuracy(LABELS) == (2, 3)


def test_an_image_that_could_not_be_read_is_neither_right_nor_wrong() -> None:
    assert summary(("red/1.png", "red"), ("elsewhere/2.png", None)).accuracy(LABELS) == (1, 1)


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["red/1.png", "photos/2.png"], LABELS),
        (["1.png"], LABELS),
        (["red/1.png"], None),
        ([], LABELS),
    ],
)
def test_there_is_no_accuracy_where_the_truth_is_not_known(paths: list[str], labels: Any) -> None:
    assert summary(*((path, "red") for path in paths)).accuracy(labels) is None


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None])), min_size=1))
def test_the_accuracy_is_what_counting_gives(pairs: list[tuple[str, str | None]]) -> None:
    found = summary(*((f"{truth}/{number}.png", label) for number, (truth, label) in enumerate(pairs)))

    read = [(truth, label) for truth, label in pairs if label is not None]
    assert found.accuracy(LABELS) == ((sum(a == b for a, b in read), len(read)) if read else None)


def test_an_output_with_another_suffix_is_refused(tmp_path: Path) -> None:
    for name in ("out.txt", "out", "out.json", ".jsonl"):
        with pytest.raises(UsageError, match=r"must end in \.jsonl or \.csv"):
            check_output(tmp_path / name)


def test_an_output_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="is a folder; name a file in it"):
        check_output(tmp_path / "folder.jsonl")
    with pytest.raises(UsageError, match="cannot write in"):
        check_output(tmp_path / "file/out.jsonl")


def test_an_output_in_folders_that_will_be_made_passes_and_makes_nothing(tmp_path: Path) -> None:
    check_output(tmp_path / "a/b/out.csv")

    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_left_out(tmp_path: Path) -> None:
    """Root may list every folder, so this one goes away between being named and being listed."""
    with pytest.raises(UsageError, match=r"cannot list .*gone: No such file"):
        list(_below(tmp_path / "gone"))
