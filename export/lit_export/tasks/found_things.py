"""Modules whose own post-processing is in the graph: what is found in each image, padded to a fixed number."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_export import chosen
from lit_export.chosen import Role
from lit_export.output_paths import tensor_at
from lit_export.tasks.found_boxes import corners
from lit_export.tasks.images import ImageModule
from lit_export.tasks.main_output import MainOutput
from lit_export.tasks.two_stage import KNOWN, TwoStage, check_same
from lit_infer import manifest
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks.candidates import FOUND
from lit_infer.tensors import Arrays

MASKS = "masks"
_DTYPES: dict[str, Literal["int32"]] = {"labels": "int32", "count": "int32"}
"""Of the outputs that are no float32."""
_MASKS_TOO = " and masks [batch, n, 1, 28, 28] or [batch, n, height, width]"


class FoundModule(ImageModule):
    """What is found in each image, `candidates.FOUND`, and with `has_masks` what belongs to each of it, `masks`.

    Of torchvision's two-stage detectors, and of modules that answer a dict of boxes [batch, n, 4] in pixels, scores
    [batch, n], labels [batch, n] and, where not all of the n are there, `count` [batch].
    """

    has_masks = False

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        is_known = isinstance(module, KNOWN)
        if is_known:
            refuse_chosen(module, facts)
        self.stated = facts.answers
        super().__init__(TwoStage(module, with_masks=self.has_masks) if is_known else module, facts)

    def found(self, images: Tensor) -> dict[str, Tensor]:
        """By name, in the order of the graph's outputs."""
        output = chosen_of(self.called(images), self.chosen)
        if not is_found(output) or (self.has_masks and MASKS not in output):
            raise GateError(
                f"the module answers {_told(output)}: expected a dict of boxes [batch, n, 4] in pixels, scores "
                f"[batch, n], labels [batch, n]{_MASKS_TOO if self.has_masks else ''} of a fixed n: "
                "--adapter PKG.MOD:WRAP"
            )
        scores = output["scores"].to(torch.float32)
        if self.stated.get("scores") == "sigmoid":
            scores = torch.sigmoid(scores)
        within = (images.shape[1], images.shape[2]) if self.stated.get("relative") else None
        count = output.get("count")
        if count is None:
            count = torch.full_like(output["labels"][:, 0], scores.shape[1])
        made = {
            "scores": scores,
            "boxes": corners(output["boxes"].to(torch.float32), self.stated.get("boxes") or "xyxy", within=within),
            "labels": output["labels"].to(torch.int32),
            "count": count.to(torch.int32),
        }
        return {**made, MASKS: output[MASKS].to(torch.float32)} if self.has_masks else made

    def answer(self, images: Tensor) -> MainOutput:
        """The scores."""
        return MainOutput(self.found(images)["scores"], "scores")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """In the order of the outputs."""
        return tuple(self.found(images).values())

    def taken(self, *inputs: Tensor) -> dict[str, tuple[str | None, Sequence[str]]]:
        """What was chosen, and in what form; nothing of a detector of torchvision, whose parts are known."""
        del inputs
        if isinstance(self.module, TwoStage):
            return {}
        form = (self.stated.get("boxes") or "xyxy", "relative" if self.stated.get("relative") else "pixels")
        forms = {"boxes": form, "scores": ("sigmoid" if self.stated.get("scores") == "sigmoid" else "probabilities",)}
        names = ("boxes", "scores", "labels", *(["count"] if "count" in self.chosen else []))
        taken = (*names, MASKS) if self.has_masks else names
        return {role: (self.chosen.get(role, role), forms.get(role, ())) for role in taken}

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """Whose boxes these are; and whether there are as many labels."""
        if self.stated.get("scores") == "softmax":
            raise UsageError("answers: scores: softmax is of candidates, and each box that was found has one score")
        if bool((scores < 0).any()) or bool((scores > 1).any()):
            raise UsageError(
                f"the module's scores are from {float(scores.min()):.3g} to {float(scores.max()):.3g}, and those of "
                "what was found are expected from 0 to 1"
            )
        if not isinstance(self.module, TwoStage):
            where = "as shares of the sides" if self.stated.get("relative") else "in pixels"
            return (f"at most {scores.shape[1]} boxes of an image, {where}, as the module has chosen them itself",)
        detector, classes = self.module.detector, self.module.classes
        if facts.labels is not None and len(facts.labels) != classes:
            raise UsageError(
                f"{len(facts.labels)} labels are given and {type(detector).__name__} has {classes} classes, the first "
                "of which is the background: give it a name as well, such as background"
            )
        heads = detector.roi_heads
        return (
            f"what {type(detector).__name__} finds with its own suppression in the graph: at most "
            f"{scores.shape[1]} boxes of an image that score more than {heads.score_thresh:g}",
            *_left_out(heads, self.has_masks),
        )

    def facts_found(self, facts: DeploymentFacts, example: Arrays) -> DeploymentFacts:
        """The facts, if the graph's module finds what the user's finds."""
        if isinstance(self.module, TwoStage):
            check_same(self.module, self.pixels(torch.from_numpy(example[0])))
        return facts

    def check(self, answer: Any) -> None:
        """Nothing: shapes are looked at where things are found."""

    def outputs(
        self, found: Arrays, batch: int | str, sides: tuple[int | str, int | str]
    ) -> tuple[manifest.Tensor, ...]:
        """One tensor each."""
        del sides
        names = (*FOUND, MASKS) if self.has_masks else FOUND
        return tuple(
            manifest.Tensor(name=name, dtype=_DTYPES.get(name, "float32"), shape=(batch, *one.shape[1:]))
            for name, one in zip(names, found, strict=True)
        )


class InstanceModule(FoundModule):
    """With masks."""

    has_masks = True


FOUND_ROLES = (Role("labels", also={"classes": None}), Role("count"))


def refuse_chosen(module: nn.Module, facts: DeploymentFacts) -> None:
    """Raise UsageError where a person chose among the outputs of a detector whose parts are taken."""
    if facts.outputs:
        raise UsageError(
            f"outputs: {type(module).__name__} of torchvision is taken apart, and what its parts answer is known: "
            f"leave {chosen.line(facts.outputs)} out"
        )


def chosen_of(output: Any, paths: Mapping[str, str]) -> Any:
    """A module's output with what a person chose in it, by role."""
    if not paths:
        return output
    named = dict(output) if isinstance(output, Mapping) else {}
    return {**named, **{role: tensor_at(output, path) for role, path in paths.items()}}


def answers_found(module: nn.Module, facts: DeploymentFacts) -> bool:
    """Whether a module itself answers what it found, padded. One that raises is looked at later."""
    probe = FoundModule(module, facts).eval()
    images = probe.blank(facts)
    with suppress(Exception), torch.no_grad():
        return is_found(chosen_of(probe.called(images), probe.chosen))
    return False


def is_found(output: Any) -> bool:
    """Whether a module answers what it found, padded, and not candidates."""
    if not isinstance(output, Mapping) or not {"boxes", "scores", "labels"} <= set(output):
        return False
    parts = [output[name] for name in ("boxes", "scores", "labels")]
    return all(isinstance(one, Tensor) for one in parts) and [one.ndim for one in parts] == [3, 2, 2]


def _left_out(heads: Any, with_masks: bool) -> list[str]:
    said = []
    if heads.has_mask() and not with_masks:
        said.append("its masks are left out")
    if heads.has_keypoint():
        said.append("its keypoints are left out")
    return said


def _told(output: Any) -> str:
    if isinstance(output, Mapping):
        shapes = {name: list(one.shape) for name, one in output.items() if isinstance(one, Tensor)}
        return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "an empty dict"
    if isinstance(output, Sequence) and output and isinstance(output[0], Mapping):
        return "a list with a dict for each image"
    return f"{list(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
