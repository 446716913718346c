"""Which of a module's outputs are boxes and which their scores: chosen by name and shape, and said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, get_args

import torch
from torch import Tensor

from lit_export.chosen import Role
from lit_export.output_paths import tensor_at, told
from lit_export.tasks.main_output import parts_of
from lit_infer.errors import GateError, UsageError
from lit_infer.tasks.object_detection import BoxFormat, BoxScores

BOXES = ("pred_boxes", "boxes", "bboxes")
SCORES = ("logits", "pred_logits", "scores", "class_logits")


@dataclass(frozen=True)
class RawBoxes:
    """Candidates as the module gives them."""

    scores: Tensor
    """[batch, n, classes]."""
    boxes: Tensor
    """[batch, n, 4]."""
    usual: BoxFormat
    """The format of such boxes, if nothing else is said."""
    is_relative: bool
    """Whether such boxes are usually shares of the image's sides."""
    overlap: float | None
    """Above which overlap one of two boxes is usually dropped; None: such modules leave none to drop."""
    are_usually_probabilities: bool
    """Whether scores within 0 and 1 are usually that, and not small logits."""
    taken: str
    """What was taken for what, in words."""
    others: tuple[str, ...] = ()
    """Outputs that are left out."""
    paths: Mapping[str, str | None] = field(default_factory=dict)
    """By role the output that is it; None: the only one, without a name."""


BOXES_ROLE = Role(
    "boxes",
    {
        **{form: {"boxes": form} for form in get_args(BoxFormat)},
        "relative": {"relative": True},
        "pixels": {"relative": False},
    },
)
SCORES_ROLE = Role(
    "scores",
    {form: {"scores": form} for form in get_args(BoxScores)},
    {"logits": None, "probabilities": "probabilities"},
)
ROLES = (BOXES_ROLE, SCORES_ROLE, Role("candidates", {**BOXES_ROLE.forms, **SCORES_ROLE.forms}))


def raw_boxes(output: Any, classes: int | None, chosen: Mapping[str, str] = MappingProxyType({})) -> RawBoxes:
    """The candidates in a module's output. `classes`: how many labels there are; None: not known. `chosen`: by role
    the outputs that a person chose.

    Raises UsageError where more than one reading is possible, GateError where none is.
    """
    if chosen:
        return _chosen(output, classes, chosen)
    if isinstance(output, Sequence) and output and isinstance(output[0], Mapping):
        raise UsageError(
            "the module answers a list with a dict for each image, as torchvision's detectors do: their own "
            "post-processing gives another number of boxes for each image, which no graph of one shape has. FCOS, "
            "RetinaNet, SSD, and Faster, Mask and Keypoint R-CNN themselves are taken apart for it (--submodule); of "
            "others export what comes before it, scores [batch, n, classes] and boxes [batch, n, 4]: "
            "--adapter PKG.MOD:WRAP"
        )
    parts = {"the output": output} if isinstance(output, Tensor) else parts_of(output)
    tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor) and part.ndim == 3}
    boxes = next((name for name in BOXES if name in tensors), None)
    scores = next((name for name in SCORES if name in tensors), None)
    if boxes is None and scores is None and (pair := _pair(tensors)) is not None:
        boxes, scores = pair
    if boxes is not None and scores is not None:
        return _named(tensors, boxes, scores, tuple(name for name in parts if name not in (boxes, scores)))
    fit = {name: one for name, one in tensors.items() if classes is not None and 4 + classes in one.shape[1:]}
    if len(tensors) > 1 and len(fit) != 1:
        raise UsageError(
            f"the module answers {told(output)}: which are boxes [batch, n, 4] and which their scores [batch, n, "
            "classes] is not certain. Say it: --outputs boxes=…,scores=…; or candidates=… for one tensor of both"
        )
    if not tensors:
        raise GateError(
            f"the module answers {type(output).__name__} without boxes [batch, n, 4] and scores [batch, n, classes], "
            "nor a tensor [batch, 4 + classes, n]"
        )
    name, tensor = next(iter((fit or tensors).items()))
    found = _one_stage(tensor, name, classes, tuple(other for other in parts if other != name))
    return replace(found, paths={"candidates": None if isinstance(output, Tensor) else name})


def _chosen(output: Any, classes: int | None, chosen: Mapping[str, str]) -> RawBoxes:
    """As a person said; of boxes and scores one may be found by its name."""
    tensors = {role: tensor_at(output, path) for role, path in chosen.items()}
    if "candidates" in chosen:
        if len(chosen) > 1:
            raise UsageError("outputs: candidates are boxes and scores in one tensor: nothing else is said with them")
        path = chosen["candidates"]
        return replace(_one_stage(tensors["candidates"], path or "the output", classes, ()), paths=chosen)
    if others := [f"{role}={chosen[role]}" for role in chosen if role not in ("boxes", "scores")]:
        raise UsageError(
            f"outputs: {' and '.join(others)} is for what a module has found itself: boxes [batch, n, 4], scores "
            f"[batch, n] and labels [batch, n]. This one answers {told(output)}"
        )
    parts = {} if isinstance(output, Tensor) else parts_of(output)
    usual = {
        role: next((name for name in names if isinstance(parts.get(name), Tensor)), None)
        for role, names in (("boxes", BOXES), ("scores", SCORES))
    }
    both = {role: chosen.get(role, usual[role]) for role in usual}
    if missing := [role for role, path in both.items() if path is None]:
        raise UsageError(f"outputs: which output has the {missing[0]} is not said. The module answers {told(output)}")
    names = {role: str(path) for role, path in both.items()}
    boxes, scores = (tensor_at(output, name) for name in names.values())
    scores = scores[..., None] if scores.ndim == 2 else scores
    return _named({names["boxes"]: boxes, names["scores"]: scores}, names["boxes"], names["scores"], ())


def _pair(tensors: Mapping[str, Tensor]) -> tuple[str, str] | None:
    """Boxes and scores of a tuple, told apart by the four sides of boxes."""
    if len(tensors) != 2:
        return None
    (one, first), (other, second) = tensors.items()
    if first.shape[:2] != second.shape[:2] or (first.shape[2] == 4) == (second.shape[2] == 4):
        return None
    return (one, other) if first.shape[2] == 4 else (other, one)


def _named(tensors: Mapping[str, Tensor], boxes: str, scores: str, others: tuple[str, ...]) -> RawBoxes:
    shapes = tensors[boxes].shape, tensors[scores].shape
    if [len(shape) for shape in shapes] != [3, 3] or shapes[0][2] != 4 or shapes[0][:2] != shapes[1][:2]:
        raise GateError(
            f"{boxes} is {list(tensors[boxes].shape)} and {scores} {list(tensors[scores].shape)}: expected "
            "[batch, n, 4] and [batch, n, classes]"
        )
    is_set = boxes.rpartition(".")[2] == BOXES[0]  # DETR's name for shares of the sides
    return RawBoxes(
        tensors[scores],
        tensors[boxes],
        usual="cxcywh" if is_set else "xyxy",
        is_relative=is_set,
        overlap=None,
        are_usually_probabilities=False,
        taken=f"{boxes} are the boxes and {scores} their scores",
        others=others,
        paths={"boxes": boxes, "scores": scores},
    )


def _one_stage(tensor: Tensor, name: str, classes: int | None, others: tuple[str, ...]) -> RawBoxes:
    """[batch, 4 + classes, n], or with the last two the other way round."""
    _, rows, columns = tensor.shape
    sides = 4 + classes if classes is not None else min(rows, columns)
    fits = [axis for axis, side in ((1, rows), (2, columns)) if side == sides]
    if len(fits) != 1 or sides < 5:
        known = "" if classes is None else f" for {classes} classes"
        raise UsageError(
            f"{name} is {list(tensor.shape)}: expected [batch, 4 + classes, n]{known}. Scores of their own for whether "
            "there is a thing at all, or boxes of other numbers, are for an --adapter PKG.MOD:WRAP that answers "
            "scores [batch, n, classes] and boxes [batch, n, 4]"
        )
    found = tensor.transpose(1, 2) if fits == [1] else tensor
    return RawBoxes(
        found[..., 4:],
        found[..., :4],
        usual="cxcywh",
        is_relative=False,
        overlap=0.5,
        are_usually_probabilities=True,
        taken=f"the first four numbers of each candidate of {name} are its box, the others its scores",
        others=others,
    )


def corners(boxes: Tensor, form: str, *, within: tuple[int, int] | None = None) -> Tensor:
    """Left, top, right and bottom, of boxes in another form; `within`: the height and width that they are shares of."""
    if form != "xyxy":
        first, size = boxes[..., :2], boxes[..., 2:]
        corner = first - size / 2 if form == "cxcywh" else first
        boxes = torch.cat((corner, corner + size), dim=-1)
    if within is None:
        return boxes
    height, width = within
    return boxes * torch.tensor([width, height, width, height], dtype=torch.float32)
