"""Task `object-detection`: scores and boxes of candidates, in pixels of the model's images; and mAP."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export import labelled
from lit_export.options import Options
from lit_export.tasks.found_boxes import ROLES, RawBoxes, corners, raw_boxes
from lit_export.tasks.found_things import FOUND_ROLES, FoundModule, answers_found, refuse_chosen
from lit_export.tasks.images import ImageModule, image_target
from lit_export.tasks.inner_detector import detector_of
from lit_export.tasks.main_output import MainOutput
from lit_export.tasks.spec import ExportTask, Scoring
from lit_export.tasks.target import Target
from lit_export.tasks.torchvision_detectors import KNOWN, OneStage, check_same
from lit_export.tasks.two_stage import KNOWN as TWO_STAGE
from lit_infer import manifest
from lit_infer.errors import UsageError
from lit_infer.images.boxes import overlaps
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import Reading, average_precision
from lit_infer.tasks.candidates import chosen
from lit_infer.tasks.object_detection import TASK as RUNTIME
from lit_infer.tasks.object_detection import Detections
from lit_infer.tensors import Arrays

LEAST = 0.001
"""The score from which boxes count in mAP: it looks at all of them, the best first."""


class BoxModule(ImageModule):
    """Probabilities float32 [batch, n, classes] and boxes [batch, n, 4] of candidates, corners in pixels of the input.

    Which of them are answers the runtime finds out: above the threshold, and of two of the same place the better one.
    """

    kind: str = "probabilities"
    """What makes probabilities of the module's scores."""

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__(OneStage(module) if isinstance(module, KNOWN) else module, facts)
        if isinstance(module, KNOWN):
            refuse_chosen(module, facts)
        self.stated = facts.answers
        self.classes = None if facts.labels is None else len(facts.labels)

    def raw(self, images: Tensor) -> RawBoxes:
        """The module's candidates."""
        return raw_boxes(self.called(images), self.classes, self.chosen)

    def answer(self, images: Tensor) -> MainOutput:
        """The module's scores as it gives them."""
        found = self.raw(images)
        return MainOutput(found.scores, found.taken, found.others)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities, and corners in pixels."""
        found = self.raw(images)
        scores, boxes = found.scores.to(torch.float32), found.boxes.to(torch.float32)
        if self.kind == "softmax":
            scores = torch.softmax(scores, dim=-1)[..., :-1]
        elif self.kind == "sigmoid":
            scores = torch.sigmoid(scores)
        within = (images.shape[1], images.shape[2]) if self._is_relative(found) else None
        return scores, corners(boxes, self.stated.get("boxes") or found.usual, within=within)

    def taken(self, *inputs: Tensor) -> dict[str, tuple[str | None, Sequence[str]]]:
        """Boxes and scores, or both in one; nothing of a detector of torchvision, whose parts are known."""
        found = self.raw(*inputs)
        if isinstance(self.module, OneStage):
            return {}
        form = (self.stated.get("boxes") or found.usual, "relative" if self._is_relative(found) else "pixels")
        forms = {"boxes": form, "scores": (self.kind,), "candidates": (*form, self.kind)}
        return {role: (path, forms[role]) for role, path in found.paths.items()}

    def _is_relative(self, found: RawBoxes) -> bool:
        stated = self.stated.get("relative")
        return found.is_relative if stated is None else bool(stated)

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """What the scores are: by what was said, by their range, and by how many classes there are."""
        stated, count = facts.answers.get("scores"), scores.shape[-1]
        within = bool(((scores >= 0) & (scores <= 1)).all())
        if stated == "probabilities" and not within:
            raise UsageError(
                f"answers: scores are declared probabilities, but the module answers from {float(scores.min()):.3g} "
                f"to {float(scores.max()):.3g}"
            )
        with torch.no_grad():
            found = self.raw(self.blank(facts))
        if isinstance(self.module, OneStage):
            self.kind = "probabilities"
            return (f"the candidates of {type(self.module.detector).__name__} before its own post-processing",)
        self.kind = stated or self._kind(found, within, count)
        overlap = self._overlap(facts, found)
        where = "shares of the sides" if self._is_relative(found) else "pixels"
        said = [
            f"{found.taken}; scores are taken for {self.kind}, boxes for {self.stated.get('boxes') or found.usual} in "
            f"{where}. Otherwise: answers: {{scores, boxes, relative}}"
        ]
        if overlap != facts.answers.get("overlap"):
            said.append(
                f"of two boxes of a class that overlap by more than {overlap:g} the better one stays (answers: overlap)"
            )
        return said

    def _kind(self, found: RawBoxes, within: bool, count: int) -> str:
        if within and (self.ends_in_sigmoid or found.are_usually_probabilities):
            return "probabilities"
        if not within and self.classes is not None and count in (self.classes, self.classes + 1):
            return "sigmoid" if count == self.classes else "softmax"
        raise UsageError(
            f"what the module's scores of {count} classes are is not certain. Say so in --spec: answers: {{scores: "
            "softmax} (the last class is 'no object'), sigmoid or probabilities; or give labels"
        )

    def _overlap(self, facts: DeploymentFacts, found: RawBoxes) -> float | None:
        overlap: float | None = facts.answers.get("overlap", found.overlap)
        return overlap

    def facts_found(self, facts: DeploymentFacts, example: Arrays) -> DeploymentFacts:
        """With what the runtime does to the candidates of such a module."""
        images = torch.from_numpy(example[0])
        with torch.no_grad():
            found = self.raw(images)
        if isinstance(self.module, OneStage):
            check_same(self.module, self.pixels(images), (found.scores.numpy(), found.boxes.numpy()))
            return replace(facts, answers={**self.module.answers, **facts.answers})
        return replace(facts, answers={**facts.answers, "overlap": self._overlap(facts, found)})

    def check(self, answer: NDArray[Any]) -> None:
        """Nothing: shapes are looked at where candidates are found."""

    def outputs(
        self, found: Arrays, batch: int | str, sides: tuple[int | str, int | str]
    ) -> tuple[manifest.Tensor, ...]:
        """Scores and boxes of as many candidates."""
        del sides
        scores, boxes = found
        return (
            manifest.Tensor(name="scores", dtype="float32", shape=(batch, *scores.shape[1:])),
            manifest.Tensor(name="boxes", dtype="float32", shape=(batch, *boxes.shape[1:])),
        )


def check_found(target: Target, expected: Sequence[Arrays]) -> None:
    """Raise UsageError where nothing is found on any input: then little is shown of what matters."""
    for answers in expected:
        if any(len(chosen(row, target.reading).rows) for row in zip(*answers, strict=True)):
            return
    raise UsageError(
        f"the module finds nothing that scores {target.reading.facts.threshold:g} or more on any input that was tried: "
        "give pictures of what it finds (--images FOLDER, or --data), or another threshold (answers: {threshold: 0.3})"
    )


def target(module: nn.Module, facts: DeploymentFacts, options: Options) -> Target:
    """Of a module whose post-processing is in the graph, or of one whose candidates the runtime post-processes."""
    module = detector_of(module, facts)
    is_found = isinstance(module, TWO_STAGE) or answers_found(module, facts)
    wrapper = FoundModule if is_found else BoxModule
    return image_target(module, facts, options, wrapper=wrapper)


def _matched(answer: Detections, truth: tuple[NDArray[Any], NDArray[Any]], _: Reading) -> NDArray[np.float64]:
    boxes = np.array([one.box for one in answer.boxes], np.float64).reshape(-1, 4)
    true_boxes, true_labels = truth
    found = overlaps(boxes, np.asarray(true_boxes, np.float64).reshape(-1, 4))
    labels, scores = np.array([one.index for one in answer.boxes], int), np.array([one.score for one in answer.boxes])
    return average_precision.matched(found, labels, scores, np.asarray(true_labels, int))


TASK = ExportTask(
    name=RUNTIME.name,
    target=target,
    roles=(*ROLES, *FOUND_ROLES),
    score=Scoring(
        labelled=labelled.boxes,
        condensed=lambda rows: rows,
        values=lambda rows, _, __: average_precision.mean(rows),
        counted=_matched,
        threshold=LEAST,
    ),
    check_answers=check_found,
)
