"""lit_infer.tasks.average_precision: COCO's measure of boxes."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lit_infer.images.boxes import overlaps
from lit_infer.tasks import average_precision
from lit_infer.tasks.average_precision import MOST, OVERLAPS, mean

BOX = np.array([[0.0, 0, 10, 10]])
NOTHING = np.zeros((0, 4)), np.zeros(0, int)


def one(label: int = 0) -> np.ndarray:
    return np.array([label])


def matched(
    boxes: NDArray[Any], labels: NDArray[Any], scores: NDArray[Any], true_boxes: NDArray[Any], true_labels: NDArray[Any]
) -> NDArray[np.float64]:
    return average_precision.matched(overlaps(boxes, true_boxes), labels, scores, true_labels)


def test_a_box_that_is_right_is_worth_all_and_one_of_another_class_nothing() -> None:
    assert mean(matched(BOX, one(), np.array([0.9]), BOX, one())) == pytest.approx({"mAP50": 1, "mAP": 1})
    assert mean(matched(BOX, one(1), np.array([0.9]), BOX, one())) == {"mAP50": 0, "mAP": 0}


def test_a_box_that_is_somewhat_off_counts_up_to_its_overlap() -> None:
    rows = matched(BOX + np.array([0, 0, 0, -2.6]), one(), np.array([0.9]), BOX, one())  # an overlap of 0.74

    assert rows[0, 2:].tolist() == [1] * 5 + [0] * 5
    assert mean(rows) == pytest.approx({"mAP50": 1, "mAP": 0.5})


def test_a_truth_is_found_once_and_the_best_box_finds_it() -> None:
    rows = matched(np.repeat(BOX, 2, 0), np.array([0, 0]), np.array([0.5, 0.9]), BOX, one())

    assert rows[:2, 1].tolist() == [0.9, 0.5]
    assert rows[:2, 2].tolist() == [1, 0]
    assert mean(rows)["mAP50"] == 1


def test_a_false_box_before_a_right_one_halves_the_precision() -> None:
    boxes = np.concatenate([BOX + 50, BOX])

    assert mean(matched(boxes, np.array([0, 0]), np.array([0.9, 0.5]), BOX, one()))["mAP50"] == pytest.approx(0.5)


def test_half_of_the_truths_are_worth_the_recalls_up_to_a_half() -> None:
    rows = [matched(BOX, one(), np.array([0.9]), BOX, one()), matched(*NOTHING, np.zeros(0), BOX, one())]

    assert mean(np.concatenate(rows))["mAP50"] == pytest.approx(51 / 101)


def test_the_mean_is_over_the_classes_that_have_truths() -> None:
    rows = [
        matched(BOX, one(), np.array([0.9]), BOX, one()),
        matched(BOX, one(2), np.array([0.9]), BOX, one(1)),
    ]

    assert mean(np.concatenate(rows))["mAP50"] == pytest.approx(0.5)
    assert mean(matched(BOX, one(), np.array([0.9]), *NOTHING)) == {"mAP50": 0, "mAP": 0}


def test_only_the_best_boxes_of_an_image_count() -> None:
    boxes = np.repeat(BOX, MOST + 1, 0)

    rows = matched(boxes, np.zeros(len(boxes), int), np.linspace(1, 0.1, len(boxes)), BOX, one())

    assert len(rows) == MOST + 1
    assert rows.shape[1] == 2 + len(OVERLAPS)
