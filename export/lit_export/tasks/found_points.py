"""Which of a module's outputs are points, their scores, or heatmaps: chosen by name and shape, and said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from lit_export.chosen import Role
from lit_export.output_paths import listed, tensor_at
from lit_export.tasks.main_output import parts_of
from lit_infer.errors import GateError, UsageError
from lit_infer.tasks.keypoint_detection import PointFacts, PointNumber

POINTS = ("keypoints", "points", "landmarks", "pred_keypoints", "pred_points", "coordinates", "coords")
MAPS = ("heatmaps", "heatmap", "pred_heatmaps", "hm")
MORE: dict[PointNumber, tuple[str, ...]] = {
    "score": ("scores", "keypoint_scores", "keypoints_scores", "confidence", "confidences"),
    "visibility": ("visibility", "visibilities", "visible"),
}
_USUAL: dict[int, tuple[PointNumber, ...]] = {2: ("x", "y"), 3: ("x", "y", "score")}
"""By how many numbers a point has."""


@dataclass(frozen=True)
class RawPoints:
    """Points as the module gives them."""

    tensor: Tensor
    """Points [batch, k, numbers], or heatmaps [batch, k, height, width]."""
    numbers: tuple[PointNumber, ...]
    """Of each point, in the tensor's order; empty for heatmaps."""
    taken: str
    """What was taken for what, in words."""
    others: tuple[str, ...] = ()
    """Outputs that are left out."""
    paths: Mapping[str, str | None] = field(default_factory=dict)
    """By role the output that is it; None: the only one, without a name."""

    @property
    def are_maps(self) -> bool:
        """Whether they are heatmaps."""
        return self.tensor.ndim == 4


ROLES = (
    Role("points", {one: {"positions": one} for one in ("pixels", "relative", "signed")}, {"keypoints": None}),
    Role("heatmaps", {one: {"scores": one} for one in ("as_given", "sigmoid", "softmax")}, {"maps": None}),
    Role("scores", {"probabilities": {"scores": "as_given"}, "sigmoid": {"scores": "sigmoid"}}, {"score": None}),
    Role("visibility"),
)
_NUMBERS: dict[str, PointNumber] = {"scores": "score", "visibility": "visibility"}
"""By role what else there may be of a point."""


def raw_points(output: Any, facts: PointFacts, chosen: Mapping[str, str] = MappingProxyType({})) -> RawPoints:
    """The points in a module's output. `chosen`: by role the outputs that a person chose.

    Raises UsageError where it has to be said which they are, GateError where there are none.
    """
    if isinstance(output, Sequence) and output and isinstance(output[0], Mapping):
        raise UsageError(
            "the module answers a list with a dict for each image, of any number of things with points, and this task "
            "has the points of one thing in an image. Export what gives points [batch, points, 2] or heatmaps: "
            "--submodule, or --adapter PKG.MOD:WRAP"
        )
    parts = {"the output": output} if isinstance(output, Tensor) else parts_of(output)
    if not parts and hasattr(output, MAPS[0]):
        parts = {MAPS[0]: getattr(output, MAPS[0])}
    tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
    chosen = {role: listed(output, path) for role, path in chosen.items()}
    tensors |= {path: tensor_at(output, path) for path in chosen.values()}
    wanted = chosen.get("points", chosen.get("heatmaps"))
    usual = next((one for one in (*POINTS, *MAPS) if one in tensors), next(iter(tensors), None))
    name = usual if wanted is None else wanted
    if name is None:
        raise GateError(f"the module answers {type(output).__name__}, not points or heatmaps")
    found, more = tensors[name], dict[PointNumber, str]()
    if found.ndim == 3:
        more = _named(tensors) or _second(tensors, name)
        more |= {_NUMBERS[role]: path for role, path in chosen.items() if role in _NUMBERS}
    _check_chosen(found, name, chosen)
    others = tuple(one for one in parts if one not in (name, *more.values()))
    path = None if isinstance(output, Tensor) and wanted is None else name
    if found.ndim == 4:
        said = f"{name} {list(found.shape[1:])} is taken for a heatmap of each point"
        return RawPoints(found, (), said, others, {"heatmaps": path})
    if found.ndim == 2:
        return replace(_unfolded(found, name, facts, others), paths={"points": path})
    if found.ndim != 3:
        raise GateError(
            f"{name} is {list(found.shape)}: expected points [batch, points, 2 or 3], heatmaps [batch, points, height, "
            "width], or a row of numbers [batch, 2 x points] where that is said (answers: numbers)"
        )
    by_role = {role: more[number] for role, number in _NUMBERS.items() if number in more}
    joined = _joined(tensors, name, more, facts, others)
    _check_own(joined, found.shape[2], name, chosen)
    return replace(joined, paths={"points": path, **by_role})


def _check_own(joined: RawPoints, each: int, name: str, chosen: Mapping[str, str]) -> None:
    """Raise UsageError where points have a number themselves that a person chose another output for."""
    for role, number in _NUMBERS.items():
        if role in chosen and number in joined.numbers[:each]:
            raise UsageError(f"outputs: {role}={chosen[role]}: {name} has a {number} of its own (answers: numbers)")


def _check_chosen(found: Tensor, name: str, chosen: Mapping[str, str]) -> None:
    """Raise UsageError where what a person said of outputs is not what they are."""
    if {"points", "heatmaps"} <= set(chosen):
        raise UsageError("outputs: points and heatmaps: one of them is what positions are read off")
    if "points" in chosen and found.ndim == 4:
        raise UsageError(f"outputs: {name} is {list(found.shape)}: heatmaps and no points: heatmaps={name}")
    if "heatmaps" in chosen and found.ndim != 4:
        raise UsageError(f"outputs: {name} is {list(found.shape)}, and heatmaps are [batch, points, height, width]")
    if found.ndim != 3 and (more := [role for role in chosen if role in _NUMBERS]):
        raise UsageError(f"outputs: {' and '.join(more)}: only points [batch, points, 2 or 3] have some of their own")


def _named(tensors: Mapping[str, Tensor]) -> dict[PointNumber, str]:
    """What else is said of each point, by the names of outputs."""
    return {number: one for number, names in MORE.items() for one in names if one in tensors}


def _second(tensors: Mapping[str, Tensor], name: str) -> dict[PointNumber, str]:
    """Of a pair, points and one number for each: that is their score."""
    if len(tensors) != 2 or tensors[name].shape[2] != 2:
        return {}
    (other,) = set(tensors) - {name}
    fits = tensors[other].shape[:2] == tensors[name].shape[:2] and tensors[other].numel() * 2 == tensors[name].numel()
    return {"score": other} if fits else {}


def _unfolded(row: Tensor, name: str, facts: PointFacts, others: tuple[str, ...]) -> RawPoints:
    """Points of a flat row, where it was said what its numbers are."""
    if facts.numbers is None:
        raise UsageError(
            f"{name} is {list(row.shape)}: a row of numbers, of which nothing says what they are. If they are points, "
            "say so in --spec: answers: {numbers: [x, y]} for x, y, x, y, …; with flat: numbers for x, x, …, y, y, …"
        )
    each = len(facts.numbers)
    count, left = divmod(row.shape[1], each)
    if left or not count:
        raise UsageError(f"{name} has {row.shape[1]} numbers, which are no points of {each} (answers: numbers)")
    by_point = facts.flat != "numbers"
    points = row.reshape(-1, count, each) if by_point else row.reshape(-1, each, count).transpose(1, 2)
    said = ", ".join(facts.numbers)
    how = "point by point" if by_point else "number by number"
    return RawPoints(points, facts.numbers, f"{name} is taken for {said} of {count} points, {how}", others)


def _joined(
    tensors: Mapping[str, Tensor],
    name: str,
    more: Mapping[PointNumber, str],
    facts: PointFacts,
    others: tuple[str, ...],
) -> RawPoints:
    """Points, and the numbers of each that the module answers in tensors of their own."""
    points = tensors[name]
    each = points.shape[2]
    numbers = facts.numbers if facts.numbers is not None else _USUAL.get(each)
    if numbers is None or len(numbers) != each:
        said = "" if facts.numbers is None else f", and answers: numbers names {len(facts.numbers)}"
        raise UsageError(
            f"{name} is {list(points.shape)}: points of {each} numbers{said}. Say what they are in --spec: "
            "answers: {numbers: [x, y, score, visibility]}, in the module's order"
        )
    added = {number: tensors[one] for number, one in more.items() if number not in numbers}
    for number, one in added.items():
        if one.numel() != points.shape[0] * points.shape[1]:
            raise GateError(f"{more[number]} is {list(one.shape)}: expected [batch, {points.shape[1]}], as {name} is")
    whole = [points, *(one.reshape(*points.shape[:2], 1).to(points.dtype) for one in added.values())]
    joined = torch.cat(whole, dim=-1) if added else points
    said = f"{name} is taken for {', '.join(numbers)} of each point"
    said += "".join(f", {more[number]} for its {number}" for number in added)
    return RawPoints(joined, (*numbers, *added), said, others)
