"""lit_infer.tasks.object_detection: what is found, in the image as it was."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.images.mapping import WayBack, to_original
from lit_infer.images.resizing import Letterbox, Resize
from lit_infer.tasks import TASKS, Ask, Reading, plain_answer
from lit_infer.tasks.object_detection import Detections

TASK = TASKS["object-detection"]


def reading(**answers: Any) -> Reading:
    return TASK.reading(labels=("cat", "dog"), answers=answers, size=2)


def read(scores: Any, boxes: Any, *, way: WayBack | None = None, threshold: float | None = None, **answers: Any) -> Any:
    outputs = np.array([scores], np.float32), np.array([boxes], np.float32)
    (found,) = TASK.read(outputs, [Ask(way=way, threshold=threshold)], reading(**answers))
    assert isinstance(found, Detections)
    return found


SCORES = [[0.1, 0.6], [0.9, 0.2], [0.3, 0.2]]
BOXES = [[0, 0, 4, 4], [5, 5, 9, 9], [1, 1, 2, 2]]


def test_candidates_that_score_enough_are_found_the_best_first() -> None:
    found = read(SCORES, BOXES)

    assert [(one.label, one.index, one.box) for one in found.boxes] == [
        ("cat", 0, (5, 5, 9, 9)),
        ("dog", 1, (0, 0, 4, 4)),
    ]
    assert [one.score for one in found.boxes] == pytest.approx([0.9, 0.6])
    assert len(read(SCORES, BOXES, threshold=0.3).boxes) == 3
    assert len(read(SCORES, BOXES, most=1).boxes) == 1
    assert read([[0, 0]], [[0, 0, 1, 1]]).boxes == ()


def test_of_two_of_a_class_that_overlap_the_better_one_stays_where_that_is_asked() -> None:
    scores, boxes = [[0.9, 0], [0.8, 0], [0, 0.7]], [[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10]]

    assert [one.label for one in read(scores, boxes).boxes] == ["cat", "cat", "dog"]
    assert [one.label for one in read(scores, boxes, overlap=0.5).boxes] == ["cat", "dog"]
    assert len(read(scores, boxes, overlap=0.95).boxes) == 3


@given(
    st.integers(8, 300),
    st.integers(8, 300),
    st.sampled_from([(Resize(size=(60, 80)),), (Letterbox(size=(60, 80)),), (Letterbox(size=(64, 64)),)]),
)
def test_a_box_around_a_part_of_the_image_is_there_whatever_prepared_it(width: int, height: int, steps: Any) -> None:
    way = to_original(steps, width, height)
    placed = way.placement
    part = np.array([width * 0.25, height * 0.5, width * 0.75, height * 0.9])
    prepared = part * np.tile([placed.scale_x, placed.scale_y], 2) + np.tile([placed.shift_x, placed.shift_y], 2)

    found = read([[0.9, 0]], [prepared], way=way)

    assert (found.width, found.height) == (width, height)
    assert found.boxes[0].box == pytest.approx(part, rel=1e-4, abs=1e-3)


def test_what_lies_in_the_padding_is_nothing_and_boxes_end_at_the_edges() -> None:
    way = to_original((Letterbox(size=(20, 20)),), 20, 10)  # bars of 5 above and below

    found = read([[0.9, 0], [0.8, 0]], [[2, 0, 8, 4], [-3, 3, 30, 12]], way=way)

    assert [one.box for one in found.boxes] == [(0, 0, 20, 7)]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"threshold": 2}, "threshold 2 must lie between 0 and 1"),
        ({"overlap": -1}, "overlap -1 must lie between 0 and 1"),
        ({"most": 0}, "most 0 must be at least 1"),
        ({"boxes": "yxyx"}, "boxes"),
    ],
)
def test_facts_that_make_no_sense_are_refused(answers: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reading(**answers)


def test_a_row_and_json_have_each_box() -> None:
    found = read(SCORES, BOXES, way=to_original((Resize(size=(10, 10)),), 10, 10))

    row = json.loads(json.dumps(TASK.row(found)))
    assert (row["width"], row["height"], len(row["boxes"])) == (10, 10, 2)
    assert row["boxes"][0] == {"label": "cat", "index": 0, "score": pytest.approx(0.9), "box": [5, 5, 9, 9]}
    assert json.loads(json.dumps(plain_answer(found)))["boxes"][1]["box"] == [0, 0, 4, 4]


def test_people_see_how_many_of_each_class() -> None:
    shown = TASK.show(TASK.row(read([[0.9, 0], [0.8, 0], [0, 0.7]], [[0, 0, 1, 1]] * 3)))

    assert (shown.title, shown.groups) == ("2 x cat, dog", ("cat", "dog"))
    assert shown.score == pytest.approx(0.9)
    nothing = TASK.show(TASK.row(read([[0, 0]], [[0, 0, 1, 1]])))
    assert (nothing.title, nothing.score, nothing.groups) == ("nothing", None, ("",))


def test_a_run_counts_boxes_and_images_without_any() -> None:
    tally = TASK.tally(reading())
    assert tally.lines() == []
    for scores in ([[0.9, 0]], [[0, 0.9]], [[0.8, 0]], [[0, 0]]):
        tally.add(TASK.row(read(scores, [[0, 0, 1, 1]])), {})

    assert tally.lines() == ["boxes: cat 2, dog 1", "images without a box: 1"]
    assert tally.verdict() == ""
