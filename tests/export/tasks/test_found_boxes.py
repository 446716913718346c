"""lit_export.tasks.found_boxes: which outputs are boxes and which scores."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_export.tasks.found_boxes import raw_boxes
from lit_infer.errors import GateError, UsageError

BOXES, SCORES = torch.rand(2, 7, 4), torch.rand(2, 7, 3)


@dataclass
class Output:
    """As transformers has it."""

    pred_boxes: Tensor
    logits: Tensor
    loss: None = None


@pytest.mark.parametrize(
    ("output", "usual", "is_relative"),
    [
        ({"pred_logits": SCORES, "pred_boxes": BOXES}, "cxcywh", True),
        (Output(BOXES, SCORES), "cxcywh", True),
        ({"boxes": BOXES, "scores": SCORES}, "xyxy", False),
        ((BOXES, SCORES), "xyxy", False),
        ((SCORES, BOXES), "xyxy", False),
    ],
    ids=["DETR", "Hugging Face's", "named", "a pair", "a pair, scores first"],
)
def test_boxes_and_scores_are_told_apart_by_name_or_shape(output: Any, usual: str, is_relative: bool) -> None:
    found = raw_boxes(output, None)

    assert torch.equal(found.boxes, BOXES)
    assert torch.equal(found.scores, SCORES)
    assert (found.usual, found.is_relative, found.overlap) == (usual, is_relative, None)
    assert set(found.others) <= {"loss"}


def test_what_is_left_out_is_named() -> None:
    found = raw_boxes({"pred_logits": SCORES, "pred_boxes": BOXES, "aux_outputs": []}, None)

    assert found.taken == "pred_boxes are the boxes and pred_logits their scores"
    assert found.others == ("aux_outputs",)


@pytest.mark.parametrize("classes", [3, None])
def test_one_tensor_has_boxes_and_scores_one_after_the_other(classes: int | None) -> None:
    whole = torch.cat((BOXES, SCORES), dim=2)[:, :6].repeat(1, 5, 1)

    for output in (whole, whole.transpose(1, 2), (whole, [SCORES])):
        found = raw_boxes(output, classes)
        assert torch.equal(found.boxes, whole[..., :4])
        assert torch.equal(found.scores, whole[..., 4:])
        assert (found.usual, found.is_relative, found.overlap) == ("cxcywh", False, 0.5)
    assert found.others == ("output_1",)


@pytest.mark.parametrize(
    ("output", "classes", "error", "message"),
    [
        ([{"boxes": BOXES[0]}], None, UsageError, "a list with a dict for each image, as torchvision's detectors do"),
        (torch.rand(2, 8, 30), 3, UsageError, r"\[2, 8, 30\]: expected \[batch, 4 \+ classes, n\] for 3 classes"),
        (torch.rand(2, 7, 7), 3, UsageError, "expected"),
        (torch.rand(2, 4, 30), None, UsageError, "expected"),
        (torch.rand(2, 3), None, GateError, r"answers Tensor without boxes \[batch, n, 4\]"),
        ({"boxes": torch.rand(2, 7, 5), "scores": SCORES}, None, GateError, r"boxes is \[2, 7, 5\] and scores"),
    ],
)
def test_what_is_not_certain_or_no_boxes_is_refused(
    output: Any, classes: int | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        raw_boxes(output, classes)
