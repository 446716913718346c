"""lit_infer.tasks.correct_points: PCK."""

import math

import numpy as np
import pytest

from lit_infer.tasks import correct_points


def test_a_point_is_correct_that_is_no_farther_off_than_a_share_of_the_length() -> None:
    truth = np.array([[10, 10], [20, 20], [30, 30], [40, 40]], float)
    points = truth + np.array([[10, 0], [0, 10.1], [12, 16], [15, 16]])

    off = correct_points.distances(points, truth, 100)

    assert off == pytest.approx([0.1, 0.101, 0.2, 0.2193], abs=1e-4)
    assert correct_points.scores(off) == {"PCK@0.1": 0.25, "PCK@0.2": 0.75}


def test_what_nobody_marked_does_not_count_and_what_is_not_reported_is_wrong() -> None:
    truth = np.array([[10, 10], [np.nan, np.nan], [30, 30]])
    points = np.array([[10, 10], [20, 20], [np.nan, np.nan]])

    off = correct_points.distances(points, truth, 100)

    assert off[0] == 0
    assert np.isnan(off[1])
    assert np.isinf(off[2])
    assert correct_points.scores(off)["PCK@0.1"] == 0.5
    assert correct_points.scores(off[1:2]) == {"PCK@0.1": 0.0, "PCK@0.2": 0.0}


def test_the_length_is_that_of_the_box_or_of_the_image() -> None:
    assert correct_points.length_of(40.0, 200, 100) == 40
    assert correct_points.length_of(math.nan, 200, 100) == 200
