"""lit_infer.folder.point_truths: true points from a table or COCO's JSON."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import point_truths

CATEGORY = {"id": 7, "name": "hand", "keypoints": ["wrist", "thumb", "tip"], "skeleton": [[1, 2], [2, 3]]}


def annotated(folder: Path, *annotations: dict[str, Any], categories: Any = (CATEGORY,), **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name in ("a.jpg", "b.jpg"):
        (folder / name).touch()
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    found = {"images": images, "categories": list(categories), "annotations": list(annotations), **changes}
    (folder / "annotations.json").write_text(json.dumps(found))
    return folder


def hand(image: int = 1, **changes: Any) -> dict[str, Any]:
    keypoints = [1, 2, 2, 3, 4, 1, 0, 0, 0]
    return {"image_id": image, "category_id": 7, "keypoints": keypoints, "bbox": [0, 0, 30, 50], **changes}


def test_coco_s_points_come_with_their_names_skeleton_and_box(tmp_path: Path) -> None:
    folder = annotated(tmp_path / "data", hand(), hand(2, keypoints=[0] * 9))

    for source in (folder, folder / "annotations.json"):
        found = point_truths.read(source, labels=None)
        assert (found.names, found.skeleton) == (("wrist", "thumb", "tip"), ((0, 1), (1, 2)))
        (truth,) = found.truths  # nothing is marked in the other
        assert (truth.path, truth.scale) == (folder / "a.jpg", 50)
        np.testing.assert_array_equal(truth.points, [[1, 2], [3, 4], [np.nan, np.nan]])


def test_points_are_in_the_model_s_order(tmp_path: Path) -> None:
    folder = annotated(tmp_path / "data", hand(bbox=None))

    found = point_truths.read(folder, labels=("thumb", "wrist"))

    assert (found.names, found.skeleton) == (("thumb", "wrist"), ((1, 0),))
    assert found.truths[0].points.tolist() == [[3, 4], [1, 2]]
    assert math.isnan(found.truths[0].scale)


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        ([hand(), hand()], {}, "a.jpg shows 2 things with points"),
        ([hand(keypoints=[1, 2, 2, 4])], {}, "is not COCO's JSON of keypoints: ValueError"),
        ([hand()], {"categories": [CATEGORY, {**CATEGORY, "id": 8}]}, "exactly one category must have keypoints"),
        ([hand()], {"categories": [{"id": 7, "name": "cat"}]}, "found: none"),
        ([hand(keypoints=[0] * 9)], {}, "has no image with keypoints that are marked"),
        ([hand()], {"images": None}, "is not COCO's JSON of keypoints: TypeError"),
    ],
)
def test_what_is_not_as_coco_has_it_is_refused(
    tmp_path: Path, arguments: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        point_truths.read(annotated(tmp_path / "data", *arguments, **changes), labels=None)


def table(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in ("a.jpg", "b.jpg"):
        (folder / name).touch()
    (folder / "metadata.csv").write_text(text)
    return folder


def test_a_table_has_two_columns_for_a_point_and_an_empty_cell_where_it_is_not_known(tmp_path: Path) -> None:
    folder = table(tmp_path, "file_name,nose_x,nose_y,left eye_x,left eye_y\na.jpg,1,2.5,,\nb.jpg,5,6,7,8\n")

    found = point_truths.read(folder, labels=None)

    assert found.names == ("nose", "left eye")
    np.testing.assert_array_equal(found.truths[0].points, [[1, 2.5], [np.nan, np.nan]])
    assert math.isnan(found.truths[1].scale)
    assert point_truths.read(folder, labels=("left eye",)).truths[1].points.tolist() == [[7, 8]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file_name,nose\na.jpg,1\n", "has no columns NAME_x and NAME_y"),
        ("file_name,nose_x,nose_y\na.jpg,1,b\n", "row 1: nose_y is 'b', not a number"),
        ("file_name,nose_x,nose_y\nc.jpg,1,2\n", "row 1: there is no file"),
        ("file_name,eye_x,eye_y\na.jpg,1,2\n", "has no columns nose_x and nose_y; it has points eye"),
    ],
)
def test_a_table_without_the_points_is_refused(tmp_path: Path, text: str, message: str) -> None:
    labels = ("nose",) if "eye" in text else None
    with pytest.raises((UsageError, NotFoundError), match=message):
        point_truths.read(table(tmp_path, text), labels=labels)


def test_a_folder_with_neither_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(
        NotFoundError, match=r"annotations\.json .*; or metadata\.csv with the columns file_name, NAME_x"
    ):
        point_truths.read(tmp_path, labels=None)
