"""lit_infer.folder.coco_masks: masks of COCO's JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer.errors import UsageError
from lit_infer.folder import coco
from lit_infer.folder.coco_masks import filled, mask_of
from lit_infer.images import rle


def test_pixels_whose_centres_are_in_a_polygon_belong_to_it() -> None:
    square = mask_of([[1, 2, 5, 2, 5, 4, 1, 4]], (6, 8)).mask()
    assert np.argwhere(square).tolist() == [[y, x] for y in (2, 3) for x in (1, 2, 3, 4)]
    triangle = filled(np.array([[0, 0], [8, 0], [0, 8]], float), (8, 8))
    assert triangle.sum() == pytest.approx(32, abs=4)
    assert triangle[0, 7] == triangle[7, 0]


def test_polygons_of_one_thing_are_its_parts_and_end_at_the_image() -> None:
    found = mask_of([[0, 0, 2, 0, 2, 2, 0, 2], [5, 5, 99, 5, 99, 99, 5, 99], [-9, 3, -1, 3, -1, 5]], (8, 8))

    assert found.area == 4 + 9


def test_runs_are_read_compressed_or_not() -> None:
    mask = np.random.default_rng(0).random((9, 7)) > 0.5
    runs = rle.of_mask(mask)

    assert mask_of({"size": [9, 7], "counts": runs.counts}, (9, 7)) == runs
    assert mask_of({"size": [9, 7], "counts": runs.runs.tolist()}, (9, 7)) == runs


BROKEN: list[Any] = [
    [[1, 2, 3, 4]],
    [[0, 0, 1, 1, float("nan"), 1]],
    {"size": [7, 9], "counts": "o1"},
    {"size": [9, 7]},
]


@pytest.mark.parametrize("segmentation", BROKEN)
def test_what_is_no_mask_is_refused(segmentation: Any) -> None:
    with pytest.raises((ValueError, KeyError)):
        mask_of(segmentation, (9, 7))


def test_a_file_without_masks_says_so(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    mark = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]}
    file = {"images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 8}], "annotations": [mark]}
    (tmp_path / "a.json").write_text(json.dumps({**file, "categories": [{"id": 1, "name": "cat"}]}))

    assert coco.read(tmp_path / "a.json", labels=None)[1][0].masks == ()
    with pytest.raises(UsageError, match="is not COCO's JSON of masks: KeyError: 'segmentation'"):
        coco.read(tmp_path / "a.json", labels=None, with_masks=True)
