"""lit_infer.folder.coco: boxes in COCO's JSON, both ways."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import coco, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.predictor import Predictor


def data_set(folder: Path, **changes: Any) -> Path:
    """Two images, one of them in images/, and a crowd."""
    (folder / "images").mkdir(parents=True)
    for name in ("a.png", "images/b.png"):
        Image.new("RGB", (20, 10)).save(folder / name)
    found = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 3, "file_name": "b.png"}],
        "categories": [{"id": 9, "name": "dog"}, {"id": 2, "name": "cat"}],
        "annotations": [
            {"image_id": 7, "category_id": 9, "bbox": [1, 2, 3, 4]},
            {"image_id": 7, "category_id": 2, "bbox": [0, 0, 5, 5]},
            {"image_id": 7, "category_id": 2, "bbox": [0, 0, 9, 9], "iscrowd": 1},
        ],
        **changes,
    }
    path = folder / "annotations.json"
    path.write_text(json.dumps(found))
    return path


def test_images_have_their_boxes_by_the_model_s_classes_and_without_them_by_the_order_of_ids(tmp_path: Path) -> None:
    path = data_set(tmp_path)

    names, (first, second) = coco.read(path, labels=None)
    assert names == ("cat", "dog")
    assert first.boxes.tolist() == [[1, 2, 4, 6], [0, 0, 5, 5]]
    assert first.labels.tolist() == [1, 0]
    assert (second.boxes.shape, second.labels.shape) == ((0, 4), (0,))
    assert second.path == tmp_path / "images" / "b.png"

    _, (first, _) = coco.read(path, labels=("bird", "dog", "cat"))
    assert first.labels.tolist() == [1, 2]
    assert coco.find(tmp_path) == path


def test_what_is_missing_or_strange_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"expected annotations\.json or "):
        coco.find(tmp_path)
    path = data_set(tmp_path)
    with pytest.raises(UsageError, match="dog is not a class of the model, which has cat"):
        coco.read(path, labels=("cat",))
    (tmp_path / "a.png").unlink()
    with pytest.raises(NotFoundError, match=r"names a\.png, which is neither beside it nor in images/ there"):
        coco.read(path, labels=None)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"images": 1}', '{"images": [], "categories": [{"id": 1}], "annotations": []}', "[" * 100_000],
)
def test_what_is_not_coco_s_json_is_one_message(tmp_path: Path, text: str) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(text)

    with pytest.raises(UsageError, match=r"annotations\.json is not COCO's JSON of boxes"):
        coco.read(path, labels=None)


@pytest.mark.parametrize("changes", [{"annotations": [{"image_id": 1, "category_id": 9, "bbox": [1, 2, 3]}]}])
def test_a_box_of_three_numbers_is_no_box(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="is not COCO's JSON of boxes"):
        coco.read(data_set(tmp_path, **changes), labels=None)


def test_what_is_written_is_read_again_and_failed_images_are_left_out(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    box = {"label": "dog", "index": 1, "score": 0.75, "box": [1.0, 2.0, 4.0, 6.0]}
    rows = [
        {"path": "broken.png", "error": "the file is empty", "width": None, "height": None, "boxes": []},
        {"path": "a.png", "error": None, "width": 20, "height": 10, "boxes": [box]},
    ]

    coco.write(rows, tmp_path / "found.json", labels=("cat", "dog"))

    found = json.loads((tmp_path / "found.json").read_text())
    assert found["images"] == [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}]
    assert found["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert (found["annotations"][0]["bbox"], found["annotations"][0]["score"]) == ([1, 2, 3, 4], 0.75)
    _, (again,) = coco.read(tmp_path / "found.json", labels=("cat", "dog"))
    assert (again.boxes.tolist(), again.labels.tolist()) == ([[1, 2, 4, 6]], [1])


def test_a_model_without_boxes_makes_no_such_file(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--coco is for boxes"):
        run_job(predictor, parse([str(colours)]), Job(coco=tmp_path / "out.json"))
    with pytest.raises(UsageError, match=r"--coco .*out\.txt: the name must end in \.json"):
        run_job(predictor, parse([str(colours)]), Job(coco=tmp_path / "out.txt"))
