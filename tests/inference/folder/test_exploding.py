"""lit_infer.folder.exploding: a row for each thing that was found."""

import json
from pathlib import Path

import pytest

from lit_infer.folder import exploding
from tests.conftest import run_command
from tests.inference.tiny import colour, noise, save
from tests.support.box_model import make_box_bundle

BOXES = [
    {"label": "cat", "index": 0, "score": 0.5, "box": [1.0, 2.0, 3.0, 4.0]},
    {"label": "dog", "index": 1, "score": 0.25, "box": [5.0, 6.0, 7.0, 8.0]},
]
COLUMNS = {"path": "text", "width": "integer", "boxes": "boxes", "error": "text"}


def test_each_thing_has_a_row_in_the_place_of_its_list() -> None:
    row = {"path": "a.png", "width": 9, "boxes": BOXES, "error": None}

    found = list(exploding.exploded([row], COLUMNS))

    assert [list(one) for one in found] == [list(exploding.columns_of(COLUMNS))] * 2
    assert list(found[1].values()) == ["a.png", 9, "dog", 1, 0.25, 5.0, 6.0, 7.0, 8.0, None]


def test_an_image_without_things_has_no_row_and_one_with_an_error_keeps_its_own() -> None:
    rows = [
        {"path": "a.png", "width": 9, "boxes": [], "error": None},
        {"path": "b.png", "width": None, "boxes": [], "error": "damaged"},
    ]

    (found,) = exploding.exploded(rows, COLUMNS)

    assert (found["path"], found["label"], found["left"], found["error"]) == ("b.png", None, None, "damaged")


def test_masks_are_their_runs_and_points_have_their_places() -> None:
    one = {**BOXES[0], "area": 3, "segmentation": {"size": [2, 2], "counts": "abc"}}
    point = {"label": "nose", "index": 0, "x": 1.5, "y": 2.5, "score": None, "visibility": None, "outside": False}

    (mask,) = exploding.exploded([{"boxes": [one], "error": None}], {"boxes": "instances", "error": "text"})
    (place,) = exploding.exploded([{"points": [point], "error": None}], {"points": "points", "error": "text"})

    assert (mask["area"], mask["segmentation"], mask["right"]) == (3, "abc", 3.0)
    assert place == {**point, "error": None}


def test_rows_of_classes_stay_as_they_are() -> None:
    rows = [{"path": "a.png", "label": "cat", "error": None}]

    assert list(exploding.exploded(rows, {"path": "text", "label": "text", "error": "text"})) == rows


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_the_command_writes_and_prints_the_same_exploded_rows(name: str, tmp_path: Path) -> None:
    bundle = make_box_bundle(tmp_path / "bundle")
    for name_of in ("red", "green", "blue"):
        save(tmp_path / "images" / f"{name_of}.png", colour(name_of))

    done = run_command(["lit-infer", "images", "-m", str(bundle), "--explode", "-o", name], tmp_path)
    printed = run_command(["lit-infer", "images", "-m", str(bundle), "--explode", "--json", "-q"], tmp_path)

    rows = [json.loads(line) for line in printed.stdout.splitlines()]
    assert (done.returncode, printed.returncode) == (0, 0)
    assert [row["label"] for row in rows] == ["blue", "green", "red"]
    assert {"label", "left", "bottom"} <= set(rows[0])
    if name == "out.jsonl":
        assert [json.loads(line) for line in (tmp_path / name).read_text().splitlines()] == rows
    elif name == "out.csv":
        assert len((tmp_path / name).read_text().splitlines()) == len(rows) + 1
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        assert parquet.read_table(tmp_path / name).to_pylist() == rows


def test_explode_is_refused_where_there_is_nothing_to_explode(tmp_path: Path, bundle_folder: Path) -> None:
    save(tmp_path / "a.png", noise(8, 8))

    done = run_command(["lit-infer", "a.png", "-m", str(bundle_folder), "--explode"], tmp_path)

    assert done.returncode == 2
    assert "--explode is for boxes and points" in done.stderr
