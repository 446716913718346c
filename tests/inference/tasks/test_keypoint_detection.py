"""lit_infer.tasks.keypoint_detection: named points of the image as it was."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.images.framing import CenterCrop
from lit_infer.images.mapping import WayBack, to_original
from lit_infer.images.resizing import Letterbox, Resize
from lit_infer.manifest import Tensor
from lit_infer.tasks import TASKS, Ask, Reading, plain_answer
from lit_infer.tasks.keypoint_detection import FoundPoints, near_points

TASK = TASKS["keypoint-detection"]
POINTS = [[2, 3, 0.9], [7, 3, 0.6], [4, 8, 0.2]]
NAMES = ("left", "right", "foot")


def reading(labels: tuple[str, ...] | None = NAMES, **answers: Any) -> Reading:
    return TASK.reading(labels=labels, answers=answers, size=3)


def read(
    points: Any, *, way: WayBack | None = None, threshold: float | None = None, labels: Any = NAMES, **answers: Any
) -> FoundPoints:
    outputs = [np.array([points], np.float32)]
    (found,) = TASK.read(outputs, [Ask(way=way, threshold=threshold)], reading(labels, **answers))
    assert isinstance(found, FoundPoints)
    return found


def test_points_have_names_places_and_scores() -> None:
    found = read(POINTS, skeleton=[["left", "right"], [1, 2]])

    assert [(one.label, one.index, one.x, one.y) for one in found.points] == [
        ("left", 0, 2, 3),
        ("right", 1, 7, 3),
        ("foot", 2, 4, 8),
    ]
    assert [one.score for one in found.points] == pytest.approx([0.9, 0.6, 0.2])
    assert found.skeleton == ((0, 1), (1, 2))
    assert [one.label for one in read(POINTS, labels=None).points] == ["point 0", "point 1", "point 2"]
    assert read([[1, 2]] * 3).points[0].score is None


def test_points_that_score_too_little_are_left_out_where_that_is_asked() -> None:
    assert len(read(POINTS).points) == 3
    assert [one.label for one in read(POINTS, threshold=0.6).points] == ["left", "right"]
    assert [one.label for one in read(POINTS, threshold=0.0).points] == list(NAMES)
    outputs = [np.array([POINTS], np.float32)]
    (found,) = TASK.read(outputs, [Ask()], reading(threshold=0.7))
    assert len(found.points) == 1  # type: ignore[attr-defined]
    assert len(read([[1, 2]] * 3, threshold=1.0).points) == 3


def test_numbers_are_what_the_facts_say() -> None:
    found = read([[1, 2, 0.25]] * 3, numbers=["x", "y", "visibility"])

    assert (found.points[0].score, found.points[0].visibility) == (None, 0.25)


def test_a_threshold_is_for_models_that_give_scores() -> None:
    assert TASK.reads_threshold(reading(numbers=["x", "y", "score"]))
    assert not TASK.reads_threshold(reading(numbers=["x", "y"]))
    maps = (Tensor(name="heatmaps", dtype="float32", shape=("batch", 3, 8, 8)),)
    assert TASK.reads_threshold(TASK.reading(labels=None, answers={}, size=3, outputs=maps))


def test_heatmaps_are_read_in_pixels_by_their_stride_and_a_score_is_the_maximum() -> None:
    maps = np.zeros((3, 4, 5))
    maps[0, 1, 2], maps[1, 3, 4], maps[2, 0, 0] = 0.5, 1.5, -0.0

    found = read(maps, stride=[4, 8])

    assert [(one.x, one.y, one.score) for one in found.points] == [(10, 12, 0.5), (18, 28, 1), (2, 4, 0)]
    assert read(maps, stride=[4, 8], cell="corner").points[0].x == 8


@given(
    st.integers(8, 300),
    st.integers(8, 300),
    st.sampled_from(
        [(Resize(size=(60, 80)),), (Letterbox(size=(60, 80)),), (CenterCrop(size=(40, 40)),), (Resize(size=64),)]
    ),
)
def test_a_point_is_where_it_was_whatever_prepared_the_image(width: int, height: int, steps: Any) -> None:
    way = to_original(steps, width, height)
    placed = way.placement
    truth = np.array([[width * 0.5, height * 0.5], [width * 0.45, height * 0.6], [width * 0.55, height * 0.4]])
    prepared = truth * [placed.scale_x, placed.scale_y] + [placed.shift_x, placed.shift_y]

    found = read(prepared, way=way)

    assert (found.width, found.height) == (width, height)
    np.testing.assert_allclose([(one.x, one.y) for one in found.points], truth, rtol=1e-4, atol=1e-3)


def test_a_point_beyond_the_crop_or_in_the_padding_stays_where_it_is_and_is_told() -> None:
    cropped = to_original((CenterCrop(size=(20, 20)),), 40, 20)
    padded = to_original((Letterbox(size=(20, 20)),), 20, 10)  # bars of 5 above and below

    beyond, within, edge = read([[-4, 5], [4, 5], [20, 5]], way=cropped).points
    assert (beyond.x, beyond.outside, within.x, within.outside, edge.outside) == (6, True, 14, False, False)
    in_bar, inside, _ = read([[3, 2], [3, 6], [3, 9]], way=padded).points
    assert (in_bar.y, in_bar.outside, inside.y, inside.outside) == (-3, True, 1, False)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"threshold": 2}, "threshold 2 must lie between 0 and 1"),
        ({"numbers": ["x", "score"]}, "must have x and y, and nothing twice"),
        ({"numbers": ["x", "y", "x"]}, "must have x and y, and nothing twice"),
        ({"stride": [0, 4]}, r"stride \[0.0, 4.0\] must be positive"),
        ({"skeleton": [[0, 3]]}, "there is no point 3"),
        ({"skeleton": [["left", "hand"]]}, "hand is no point of left, right, foot"),
        ({"peak": "best"}, "peak"),
    ],
)
def test_facts_that_make_no_sense_are_refused(answers: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reading(**answers)
    if "hand" in message:
        with pytest.raises(ValueError, match="left is a name, and the points have none"):
            reading(None, **answers)


def test_a_row_and_json_have_each_point() -> None:
    found = read(POINTS, way=to_original((Resize(size=(10, 10)),), 10, 10), skeleton=[[0, 2]])

    row = json.loads(json.dumps(TASK.row(found)))
    assert (row["width"], row["height"], len(row["points"])) == (10, 10, 3)
    assert row["points"][0] == {
        "label": "left",
        "index": 0,
        "x": 2,
        "y": 3,
        "score": pytest.approx(0.9),
        "visibility": None,
        "outside": False,
    }
    assert json.loads(json.dumps(plain_answer(found)))["skeleton"] == [[0, 2]]


def test_people_see_the_first_points_and_the_mean_score() -> None:
    shown = TASK.show(TASK.row(read([*POINTS, [9, 9, 0.7]], labels=None)))

    assert shown.title == "point 0 (2.0, 3.0), and 3 more"
    assert shown.score == pytest.approx(0.6)
    nothing = TASK.show(TASK.row(read(POINTS, threshold=0.99)))
    assert (nothing.title, nothing.score, nothing.groups) == ("nothing", None, ("",))
    assert TASK.show(TASK.row(read([[1, 2]] * 3))).score is None


def test_a_run_counts_points_and_what_is_amiss_with_some() -> None:
    tally = TASK.tally(reading())
    assert tally.lines() == []
    way = to_original((CenterCrop(size=(20, 20)),), 40, 20)
    tally.add(TASK.row(read(POINTS, threshold=0.5, way=way)), {})
    tally.add(TASK.row(read([[-3, 3, 0.9], *POINTS[1:]], threshold=0.5, way=way)), {})

    assert tally.lines() == [
        "points: 4 in 2 images",
        "not reported, since they score below the threshold: 2",
        "reported: left 2, right 2",
        "outside of what the model saw of the images: 1 points",
    ]
    assert tally.verdict() == ""


def test_points_are_the_same_within_half_a_pixel_and_peaks_where_they_are_as_high() -> None:
    points = np.array([POINTS], np.float32)
    assert near_points(points + np.float32(0.3), points, reading()).tolist() == [1]
    assert near_points(points + np.array([[0.6, 0, 0], [0] * 3, [0] * 3]), points, reading()) == pytest.approx([2 / 3])
    maps = np.zeros((1, 3, 4, 4), np.float32)
    maps[:, :, 1, 1] = maps[:, :2, 3, 3] = 0.8
    others = maps.copy()
    others[:, :, 3, 3] += 1e-6
    others[:, 2, 3, 3] = 0.9
    assert near_points(others, maps, reading()) == pytest.approx([2 / 3])
    assert near_points(maps, maps, reading(peak="soft_argmax")).tolist() == [1]
