"""lit_infer.folder.coco_points: what was found as COCO's JSON of keypoints."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lit_infer import load
from lit_infer.folder import coco_points, point_truths, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.tasks import TASKS
from tests.inference.tiny import save
from tests.support.point_model import make_point_bundle

READING = TASKS["keypoint-detection"].reading(
    labels=("wrist", "thumb", "tip"), answers={"skeleton": [["wrist", "tip"]]}, size=3
)


def row(path: str, *points: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"path": path, "error": None, "width": 20, "height": 10, "points": list(points), **changes}


def point(index: int, x: float, y: float, score: float | None = 0.5, visibility: float | None = None) -> dict[str, Any]:
    return {"label": "", "index": index, "x": x, "y": y, "score": score, "visibility": visibility, "outside": False}


def test_what_is_written_is_read_again_and_failed_images_are_left_out(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    rows = [
        row("broken.png", error="the file is empty"),
        row("a.png", point(0, 1, 2, 0.75), point(2, 11, 7, 0.25, visibility=0.1)),
    ]

    coco_points.write(rows, tmp_path / "found.json", READING)

    found = json.loads((tmp_path / "found.json").read_text())
    assert found["images"] == [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}]
    assert found["categories"] == [
        {"id": 1, "name": "object", "keypoints": ["wrist", "thumb", "tip"], "skeleton": [[1, 3]]}
    ]
    (one,) = found["annotations"]
    assert one["keypoints"] == [1, 2, 2, 0, 0, 0, 11, 7, 1]
    assert (one["num_keypoints"], one["bbox"], one["area"], one["score"]) == (2, [1, 2, 10, 5], 50, 0.5)
    again = point_truths.read(tmp_path / "found.json", labels=None)
    np.testing.assert_array_equal(again.truths[0].points, [[1, 2], [np.nan, np.nan], [11, 7]])
    assert again.skeleton == ((0, 2),)


def test_a_model_without_scores_or_with_nothing_to_report_has_its_annotation_too(tmp_path: Path) -> None:
    coco_points.write([row("a.png", point(1, 3, 4, None)), row("b.png")], tmp_path / "found.json", READING)

    first, second = json.loads((tmp_path / "found.json").read_text())["annotations"]
    assert (first["score"], first["bbox"]) == (1.0, [3, 4, 0, 0])
    assert (second["keypoints"], second["num_keypoints"]) == ([0] * 9, 0)


def test_a_run_writes_it(tmp_path: Path) -> None:
    save(tmp_path / "in" / "red.png", np.full((80, 160, 3), (250, 0, 0), np.uint8))
    with load(make_point_bundle(tmp_path / "bundle"), device="cpu") as model:
        run_job(model, parse([str(tmp_path / "in")]), Job(coco=tmp_path / "out.json"))

    found = json.loads((tmp_path / "out.json").read_text())
    assert found["categories"][0]["keypoints"] == ["red", "green", "blue"]
    assert found["annotations"][0]["keypoints"] == [20, 20, 2, 140, 30, 2, 80, 60, 2]
