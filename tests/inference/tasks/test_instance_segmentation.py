"""lit_infer.tasks.instance_segmentation: masks of instances, at the size of the image as it was."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer import load
from lit_infer.errors import UsageError
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.images.mapping import Placement, WayBack
from lit_infer.images.rle import Rle
from lit_infer.self_test import self_test
from lit_infer.tasks import Ask, plain_answer
from lit_infer.tasks.instance_segmentation import TASK, FoundInstance, FoundInstances
from tests.support.instance_model import make_instance_bundle


def outputs(masks: Any, boxes: list[list[float]], scores: list[float]) -> list[Any]:
    count = len(scores)
    found = [np.array([scores], np.float32), np.array([boxes], np.float32)]
    return [*found, np.ones((1, count), np.int32), np.array([count], np.int32), np.asarray(masks, np.float32)[None]]


def answered(way: WayBack, masks: Any, boxes: list[list[float]], scores: list[float], **facts: Any) -> FoundInstances:
    reading = TASK.reading(labels=("background", "cat"), answers=facts, size=None)
    (found,) = TASK.read(outputs(masks, boxes, scores), [Ask(way=way)], reading)
    assert isinstance(found, FoundInstances)
    return found


LETTERBOX = WayBack((30, 15), (20, 20), Placement(2 / 3, 2 / 3, 0, 5), (0, 5, 20, 15))
"""30 x 15 made 20 x 10, between bars of 5."""


def test_a_mask_in_its_box_lies_in_the_image_as_it_was() -> None:
    mask = np.zeros((1, 1, 28, 28))
    mask[..., :14] = 1

    (one,) = answered(LETTERBOX, mask, [[4, 6, 16, 14]], [0.9]).boxes

    assert one.box == pytest.approx((6, 1.5, 24, 13.5))
    rows, columns = np.nonzero(one.segmentation.mask())
    assert one.segmentation.size == (15, 30)
    assert (columns.min(), columns.max()) == (6, 14)  # the left half
    assert (rows.min(), rows.max()) == (1, 13)
    assert one.area == len(rows)


def test_a_box_that_reaches_into_the_bars_ends_at_the_image_and_its_mask_is_cut_there_not_squeezed() -> None:
    mask = np.zeros((1, 1, 28, 28))
    mask[..., 14:, :] = 1  # the lower half: from row 10 of 0 to 20, the middle of the image

    (one,) = answered(LETTERBOX, mask, [[4, 0, 16, 20]], [0.9]).boxes

    assert one.box == pytest.approx((6, 0, 24, 15))
    rows = np.nonzero(one.segmentation.mask())[0]
    assert (rows.min(), rows.max()) == (8, 14)


def test_masks_of_the_whole_image_are_brought_back_to_it() -> None:
    masks = np.zeros((2, 20, 20))
    masks[0, 5:10] = 0.6  # the upper half of the image
    masks[1, 5:15, 10:] = 0.4

    found = answered(LETTERBOX, masks, [[0, 5, 20, 10], [10, 5, 20, 15]], [0.9, 0.8], mask_threshold=0.3)

    assert [one.area for one in found.boxes] == [pytest.approx(30 * 7.5, abs=15), 15 * 15]
    assert not found.boxes[0].segmentation.mask()[8:].any()
    assert [one.area for one in answered(LETTERBOX, masks, [[0, 5, 20, 10]] * 2, [0.9, 0.8]).boxes][1] == 0


def test_the_best_of_several_is_seen_in_the_mask_of_all() -> None:
    masks = np.zeros((2, 20, 20))
    masks[0, :, :12] = masks[1, :, 8:] = 1
    whole = WayBack((20, 20), (20, 20), Placement(), (0, 0, 20, 20))

    found = answered(whole, masks, [[0, 0, 12, 20], [8, 0, 20, 20]], [0.6, 0.9])

    assert [one.score for one in found.boxes] == pytest.approx([0.9, 0.6])
    assert found.mask[0].tolist() == [2] * 8 + [1] * 12
    assert answered(whole, masks[:, :0], [[0, 0, 1, 1]] * 2, [0.1, 0.1]).mask.any() == np.False_


def test_an_answer_is_plain_json_with_its_runs() -> None:
    one = FoundInstance("cat", 1, 0.5, (0, 0, 2, 2), 3, Rle((2, 2), "13"))

    plain = json.loads(json.dumps(plain_answer(FoundInstances((one,), 2, 2))))

    assert plain["boxes"][0]["segmentation"] == {"size": [2, 2], "counts": "13"}
    assert set(plain) == {"boxes", "width", "height"}


@pytest.mark.parametrize("value", [0, 1, 1.5])
def test_a_mask_threshold_that_means_nothing_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"mask_threshold .* must lie between 0 and 1"):
        TASK.reading(labels=None, answers={"mask_threshold": value}, size=None)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_instance_bundle(tmp_path_factory.mktemp("instances") / "bundle")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name, size in (("a", (31, 17)), ("b", (64, 40))):
        Image.new("RGB", size, (250, 0, 0)).save(tmp_path / "images" / f"{name}.png")
    return tmp_path / "images"


def test_a_bundle_passes_its_own_test(bundle: Path) -> None:
    assert self_test(str(bundle), device="cpu").ok


def test_a_run_writes_runs_pngs_and_coco(bundle: Path, images: Path, tmp_path: Path) -> None:
    output, coco, masks = tmp_path / "rows.jsonl", tmp_path / "found.json", tmp_path / "masks"
    with load(bundle, device="cpu") as model:
        run_job(
            model, parse([str(images)]), Job(output=output, coco=coco, masks=masks, report=tmp_path / "report.html")
        )
        expected = model.predict(sorted(images.iterdir()))

    rows = [json.loads(line) for line in output.read_text().splitlines()]
    found = json.loads(coco.read_text())
    for row, prediction, annotation in zip(rows, expected, found["annotations"], strict=True):
        runs = prediction.answer.boxes[0].segmentation
        assert row["boxes"][0]["segmentation"] == annotation["segmentation"]
        assert annotation["segmentation"] == {"size": list(runs.size), "counts": runs.counts}
        assert annotation["area"] == row["boxes"][0]["area"] == runs.area > 0
        with Image.open(row["mask"]) as png:
            assert png.size == (row["width"], row["height"])
            assert np.array_equal(np.asarray(png) == 1, runs.mask())
    report = (tmp_path / "report.html").read_text()
    assert report.count("<canvas data-mask=") == report.count("<rect ") == 2


def test_pngs_are_written_where_they_are_asked_for_only(bundle: Path, images: Path, tmp_path: Path) -> None:
    with load(bundle, device="cpu") as model:
        run_job(model, parse([str(images)]), Job(output=tmp_path / "rows.parquet"))

    assert not (tmp_path / "rows-masks").exists()
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert rows[0]["boxes"][0]["segmentation"]["size"] == [17, 31]
    assert rows[0]["mask"] is None


def test_labels_per_image_are_refused(bundle: Path, images: Path, tmp_path: Path) -> None:
    with load(bundle, device="cpu") as model, pytest.raises(UsageError, match="--top-k is for scores of classes"):
        run_job(model, parse([str(images)]), Job(output=tmp_path / "rows.jsonl", top_k=2))
