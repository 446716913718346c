"""lit_infer.folder.coco_areas: the pixels of classes, in rows (`--rle`) and in COCO's JSON (`--coco`)."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer import load
from lit_infer.errors import UsageError
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.coco_masks import mask_of
from lit_infer.folder.job import Job
from lit_infer.predictor import Predictor
from tests.inference.tiny import save
from tests.support.instance_model import make_instance_bundle
from tests.support.mask_model import make_mask_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    with load(make_mask_bundle(tmp_path_factory.mktemp("model") / "bundle"), device="cpu") as opened:
        yield opened


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Red on the left, the rest blue, and a file that is none."""
    for name, (width, height) in {"a.png": (61, 43), "b.png": (16, 90)}.items():
        pixels = np.full((height, width, 3), (0, 0, 250), np.uint8)
        pixels[:, : width // 2] = (250, 0, 0)
        save(tmp_path / "in" / name, pixels)
    (tmp_path / "in" / "broken.png").write_bytes(b"x")
    return tmp_path / "in"


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_class_has_its_pixels_in_the_row_and_in_coco_s_json(model: Predictor, images: Path) -> None:
    base = images.parent

    run_job(model, parse([str(images)]), Job(output=base / "out.jsonl", coco=base / "found.json"))

    found = json.loads((base / "found.json").read_text())
    good = [row for row in rows(base / "out.jsonl") if row["error"] is None]
    assert found["categories"] == [{"id": 1, "name": "red"}, {"id": 2, "name": "green"}, {"id": 3, "name": "blue"}]
    assert [one["file_name"] for one in found["images"]] == [row["path"] for row in good]
    for number, row in enumerate(good, start=1):
        marks = [one for one in found["annotations"] if one["image_id"] == number]
        assert [one["segmentation"] for one in marks] == [area["segmentation"] for area in row["areas"]]
        with Image.open(row["mask"]) as image:
            mask = np.asarray(image)
        for one, area in zip(marks, row["areas"], strict=True):
            inside = mask_of(one["segmentation"], mask.shape).mask()
            assert np.array_equal(inside, mask == area["index"])
            assert one["category_id"] == area["index"] + 1
            assert one["area"] == area["pixels"] == inside.sum()
            left, top, width, height = one["bbox"]
            assert inside[top : top + height, left : left + width].sum() == one["area"]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_rows_have_the_runs_where_they_are_asked_for(model: Predictor, images: Path, suffix: str) -> None:
    def areas(**wanted: Any) -> Any:
        output = images.parent / f"out{suffix}"
        run_job(model, parse([str(images / "a.png")]), Job(output=output, **wanted))
        if suffix == ".parquet":
            from pyarrow import parquet

            return parquet.read_table(output).to_pylist()[0]["areas"]
        if suffix == ".jsonl":
            return rows(output)[0]["areas"]
        with output.open(newline="") as file:
            return json.loads(next(csv.DictReader(file))["areas"])

    assert "segmentation" not in areas()[0]
    assert areas(rle=True)[0]["segmentation"]["size"] == [43, 61]


def test_where_there_are_no_classes_of_pixels_runs_are_refused(
    predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"--rle is for classes of pixels, and .* gives none: leave it out"):
        run_job(predictor, parse([str(images)]), Job(output=tmp_path / "o.jsonl", rle=True))
    with (
        load(make_instance_bundle(tmp_path / "instances"), device="cpu") as instances,
        pytest.raises(UsageError, match="has the runs of its masks in the rows anyway: leave it out"),
    ):
        run_job(instances, parse([str(images)]), Job(output=tmp_path / "o.jsonl", rle=True))
