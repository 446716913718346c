"""lit_export.tasks.found_points: which outputs are points, scores or heatmaps."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_export.tasks.found_points import raw_points
from lit_infer.errors import GateError, UsageError
from lit_infer.tasks.keypoint_detection import PointFacts

POINTS, SCORES, MAPS = torch.rand(2, 5, 2), torch.rand(2, 5), torch.rand(2, 5, 8, 6)


@dataclass
class Output:
    """As transformers has it."""

    heatmaps: Tensor
    loss: None = None


@pytest.mark.parametrize(
    ("output", "numbers", "others"),
    [
        (POINTS, ("x", "y"), ()),
        ({"keypoints": POINTS, "heatmaps": MAPS}, ("x", "y"), ("heatmaps",)),
        ({"aux": MAPS, "landmarks": POINTS, "scores": SCORES}, ("x", "y", "score"), ("aux",)),
        ((POINTS, SCORES), ("x", "y", "score"), ()),
        ((POINTS, SCORES[..., None]), ("x", "y", "score"), ()),
        ((POINTS, torch.rand(2, 9)), ("x", "y"), ("output_1",)),
        ({"points": POINTS, "confidence": SCORES, "visible": SCORES}, ("x", "y", "score", "visibility"), ()),
    ],
)
def test_points_and_what_is_said_of_each_are_found_by_name_or_shape(
    output: Any, numbers: tuple[str, ...], others: tuple[str, ...]
) -> None:
    found = raw_points(output, PointFacts())

    assert torch.equal(found.tensor[..., :2], POINTS)
    assert (found.numbers, found.others, found.are_maps) == (numbers, others, False)
    if len(numbers) > 2:
        assert torch.equal(found.tensor[..., 2], SCORES)


@pytest.mark.parametrize("output", [MAPS, Output(MAPS), {"hm": MAPS, "offsets": SCORES}])
def test_heatmaps_are_a_map_for_each_point(output: Any) -> None:
    found = raw_points(output, PointFacts())

    assert found.are_maps
    assert torch.equal(found.tensor, MAPS)
    assert "[5, 8, 6] is taken for a heatmap of each point" in found.taken


def test_a_row_of_numbers_is_points_when_that_is_said() -> None:
    by_point = raw_points(POINTS.flatten(1), PointFacts(numbers=("x", "y")))
    by_number = raw_points(POINTS.transpose(1, 2).flatten(1), PointFacts(numbers=("x", "y"), flat="numbers"))

    for found in (by_point, by_number):
        assert torch.equal(found.tensor, POINTS)
    assert by_point.taken == "the output is taken for x, y of 5 points, point by point"


@pytest.mark.parametrize(
    ("output", "facts", "error", "message"),
    [
        ([{"keypoints": POINTS}], {}, UsageError, "a list with a dict for each image"),
        (POINTS.flatten(1), {}, UsageError, r"answers: \{numbers: \[x, y\]\} for x, y, x, y"),
        (torch.rand(2, 9), {"numbers": ("x", "y")}, UsageError, "has 9 numbers, which are no points of 2"),
        (torch.rand(2, 5, 4), {}, UsageError, "points of 4 numbers. Say what they are"),
        (POINTS, {"numbers": ("x", "y", "score")}, UsageError, "points of 2 numbers, and answers: numbers names 3"),
        ({"points": POINTS, "scores": torch.rand(2, 7)}, {}, GateError, r"scores is \[2, 7\]: expected \[batch, 5\]"),
        (torch.rand(2), {}, GateError, r"the output is \[2\]: expected points"),
        ({"nothing": None}, {}, GateError, "answers dict, not points or heatmaps"),
    ],
)
def test_what_has_to_be_said_or_is_no_points_is_refused(
    output: Any, facts: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        raw_points(output, PointFacts(**facts))
