"""lit_infer.folder.box_truths: boxes in whichever form they are."""

import json
from pathlib import Path

import pytest
from PIL import Image

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import box_truths


def test_either_form_is_found_and_both_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        NotFoundError, match=r"expected annotations\.json or .*; or images/ and labels/ with data\.yaml"
    ):
        box_truths.read(tmp_path, labels=None)

    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    Image.new("RGB", (40, 20)).save(tmp_path / "images" / "a.png")
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text("names: [cat]\n")
    names, (found,) = box_truths.read(tmp_path, labels=None)
    assert names == ("cat",)
    assert found.boxes.tolist() == [[10, 5, 30, 15]]

    coco = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
    }
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps(coco))
    with pytest.raises(UsageError, match=r"has annotations\.json and what YOLO's data sets have"):
        box_truths.read(tmp_path, labels=None)
    assert box_truths.read(file, labels=None)[1][0].boxes.tolist() == [[1, 2, 4, 6]]
