"""Task `image-segmentation`: a score for each class of each pixel, at the size of the model's images; and mIoU."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lit_export import labelled
from lit_export.chosen import Role
from lit_export.output_paths import tensor_at
from lit_export.tasks import query_masks
from lit_export.tasks.images import ImageModule, image_target
from lit_export.tasks.main_output import MainOutput, main_output, parts_of
from lit_export.tasks.spec import ExportTask, Scoring
from lit_infer import manifest
from lit_infer.errors import GateError, UsageError
from lit_infer.folder.mask_folder import sizes_match
from lit_infer.images.masks import outside_of
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import Reading
from lit_infer.tasks.image_segmentation import TASK as RUNTIME
from lit_infer.tasks.image_segmentation import Segmentation
from lit_infer.tensors import Arrays

_QUERY_CLASSES, _QUERY_MASKS = "query_classes", "query_masks"
_ENLARGED = {"bilinear": {"align_corners": False}, "bicubic": {"align_corners": False}, "nearest": {}}


class Segmenter(ImageModule):
    """Probabilities float32 [batch, classes, height, width]; or int32 [batch, height, width] of a module of indices.

    What the module may answer: scores [batch, classes, h, w]; one score for a single class, [batch, 1, h, w] or
    [batch, h, w], to which the other class's is added; whole numbers [batch(, 1), h, w], which are indices; classes and
    masks of queries, as MaskFormer's. Scores of a whole fraction of the size are enlarged.
    """

    output = "probabilities"
    preferred = ("out", "logits")  # torchvision's and Hugging Face's; `aux` is for training
    are_indices = False
    answers_probabilities = False
    adds_queries = False
    """Whether the scores are put together from the classes and masks of queries."""
    enlarge = "bilinear"
    are_apart = False
    """Whether each class has a probability of its own."""

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__(module, facts)
        self.enlarge = facts.answers.get("enlarge") or self.enlarge
        if {"scores", "classes"} <= set(self.chosen):
            raise UsageError("outputs: scores and classes: one of them is what classes are read off")
        if len(queries := {_QUERY_CLASSES, _QUERY_MASKS} & set(self.chosen)) == 1 or (queries and len(self.chosen) > 2):
            raise UsageError(f"outputs: {_QUERY_CLASSES} and {_QUERY_MASKS} are said together, and nothing else")

    def answer(self, images: Tensor) -> MainOutput:
        """Scores have a side for the classes, even for one; indices have none."""
        output = self.called(images)
        parts = {} if isinstance(output, Tensor) else parts_of(output)
        if _QUERY_MASKS in self.chosen:
            parts = {
                query_masks.CLASSES: tensor_at(output, self.chosen[_QUERY_CLASSES]),
                query_masks.MASKS: tensor_at(output, self.chosen[_QUERY_MASKS]),
            }
        if query_masks.are_in(parts) and not {"scores", "classes"} & set(self.chosen):
            self.adds_queries = True
            size = (images.shape[1], images.shape[2])
            return MainOutput(query_masks.combined(parts, size, enlarge=self.enlarge), query_masks.MASKS)
        found = self.main(output)
        tensor = found.tensor
        if tensor.is_floating_point():
            tensor = tensor[:, None] if tensor.ndim == 3 else tensor
        elif tensor.ndim == 4 and tensor.shape[1] == 1:
            tensor = tensor[:, 0]
        return replace(found, tensor=tensor)

    def main(self, output: Any) -> MainOutput:
        """Scores, or classes."""
        role = "classes" if "classes" in self.chosen else self.role
        return main_output(output, self.preferred, role=role, wanted=self.chosen.get(role))

    def taken(self, *inputs: Tensor) -> dict[str, tuple[str | None, Sequence[str]]]:
        """Scores, or classes, or both parts of queries."""
        name = self.answer(*inputs).name
        if self.adds_queries:
            return {
                _QUERY_CLASSES: (self.chosen.get(_QUERY_CLASSES, query_masks.CLASSES), ()),
                _QUERY_MASKS: (self.chosen.get(_QUERY_MASKS, query_masks.MASKS), ()),
            }
        return {"classes": (name, ())} if self.are_indices else {"scores": (name, self.form)}

    @property
    def form(self) -> Sequence[str]:
        """What made them probabilities."""
        usual = "sigmoid" if self.are_apart else "softmax"
        return ("probabilities" if self.answers_probabilities else usual,)

    def scores(self, images: Tensor) -> Tensor:
        """The module's main answer: float32, or as it is for indices."""
        tensor = self.answer(images).tensor
        return tensor.to(torch.float32) if tensor.is_floating_point() else tensor

    def forward(self, images: Tensor) -> Tensor:
        """Enlarged first, as models that answer smaller scores do themselves, then made probabilities."""
        scores = self.scores(images)
        if self.are_indices:
            return scores.to(torch.int32)
        height, width = images.shape[1], images.shape[2]
        if scores.shape[2:] != (height, width):
            scores = functional.interpolate(scores, (height, width), mode=self.enlarge, **_ENLARGED[self.enlarge])
        if not self.answers_probabilities:
            scores = torch.sigmoid(scores) if self.are_apart else torch.softmax(scores, dim=1)
        return torch.cat((1 - scores, scores), dim=1) if scores.shape[1] == 1 else scores

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """Indices or scores, of which size, and whether they are probabilities."""
        self.are_indices = not scores.is_floating_point()
        if ("classes" in self.chosen) != self.are_indices and {"classes", "scores"} & set(self.chosen):
            is_ = "whole numbers, which are classes" if self.are_indices else "no whole numbers, but scores"
            other = "classes" if self.are_indices else "scores"
            ((_, path),) = self.chosen.items()
            raise UsageError(f"outputs: {path} has {is_}: {other}={path}")
        _check_sides(scores)
        said = [] if self.are_indices else self._find_out_scores(scores, facts)
        if self.adds_queries:
            said.append(f"each pixel's classes are added up from {query_masks.CLASSES} and {query_masks.MASKS}")
        height, width = facts.height_width
        found = tuple(scores.shape[-2:])
        if found == (height, width):
            return said
        if self.are_indices or not _is_fraction(found, (height, width)):
            raise UsageError(
                f"the module answers {found[0]} x {found[1]} {'indices' if self.are_indices else 'scores'} for images "
                f"of {height} x {width}, and only scores of a whole fraction of the size are enlarged: where they "
                "belong is not known. Resize or pad them as your evaluation does, in an --adapter PKG.MOD:WRAP"
            )
        said.append(
            f"the module's scores of {found[0]} x {found[1]} are enlarged to {height} x {width} in the graph "
            f"({self.enlarge}{'' if facts.answers.get('enlarge') else '; another way: answers: {enlarge: nearest}'})"
        )
        return said

    def _find_out_scores(self, scores: Tensor, facts: DeploymentFacts) -> list[str]:
        stated = facts.answers.get("scores")
        within = bool(((scores >= 0) & (scores <= 1 + 1e-5)).all())
        are_shares = within and scores.shape[1] > 1 and bool(((scores.sum(1) - 1).abs() < 1e-4).all())
        if stated == "probabilities" and not within:
            raise UsageError(
                f"answers: scores are declared probabilities, but the module answers from {float(scores.min()):.3g} "
                f"to {float(scores.max()):.3g}"
            )
        if stated is None and within and not (are_shares or self.ends_in_sigmoid):
            raise UsageError(
                "the module answers values from 0 to 1 that come neither from a sigmoid nor from a softmax: they may "
                "be probabilities or small logits. Say which in --spec: answers: {scores: probabilities} or "
                "answers: {scores: logits}"
            )
        self.answers_probabilities = stated == "probabilities" or (stated is None and within)
        self.are_apart = stated == "sigmoid" or scores.shape[1] == 1
        if stated == "softmax" and scores.shape[1] == 1:
            raise UsageError("answers: scores: softmax: the module answers one score for each pixel: sigmoid")
        apart = self.are_apart if not self.answers_probabilities else not are_shares
        if scores.shape[1] > 1 and apart:
            return [
                "the module answers a probability of its own for each class, so that classes may overlap: each pixel "
                "gets the most probable one"
            ]
        return []

    def check(self, answer: NDArray[Any]) -> None:
        """Raise for indices below -1 or beyond what a mask holds."""
        if self.are_indices and (answer.min(initial=0) < -1 or answer.max(initial=0) > 65534):
            raise GateError(
                f"the module answers whole numbers from {answer.min()} to {answer.max()}, which are no class indices"
            )

    def outputs(
        self, found: Arrays, batch: int | str, sides: tuple[int | str, int | str]
    ) -> tuple[manifest.Tensor, ...]:
        """Probabilities, or classes."""
        if self.are_indices:
            return (manifest.Tensor(name="classes", dtype="int32", shape=(batch, *sides)),)
        return (manifest.Tensor(name=self.output, dtype="float32", shape=(batch, found[0].shape[1], *sides)),)


def _check_sides(scores: Tensor) -> None:
    if scores.ndim != (4 if scores.is_floating_point() else 3):
        raise GateError(
            "a module of this task answers [batch, classes, height, width] for a batch of images, or indices "
            f"[batch, height, width]; this one {list(scores.shape)}"
        )


def _is_fraction(found: tuple[int, ...], whole: tuple[int, int]) -> bool:
    """Whether both sides are the same whole fraction."""
    return all(side > 0 for side in found) and all(
        one % other == 0 and one // other == whole[0] // found[0] for one, other in zip(whole, found, strict=True)
    )


def _confusion(answer: Segmentation, truth: NDArray[Any], reading: Reading) -> NDArray[np.int64]:
    """Pixels of the image as it was, int64 [1, classes, classes + 1]: of each true class those of each predicted one.

    The last column is for no class at all. Pixels that nobody labelled do not count.
    """
    sizes_match(truth, (answer.width, answer.height), "an image")
    size = reading.size or len(reading.labels or ())
    known = truth != outside_of(truth)
    wrong = int(truth[known].max(initial=0))
    if wrong >= size:
        raise UsageError(f"a mask has the class {wrong}, and the model has {size}, from 0 to {size - 1}")
    predicted = np.minimum(answer.mask[known].astype(np.int64), size)
    pairs = truth[known].astype(np.int64) * (size + 1) + predicted
    return np.bincount(pairs, minlength=size * (size + 1)).reshape(1, size, size + 1)


def _values(counts: NDArray[Any], _: Sequence[Any], __: Reading) -> dict[str, float]:
    """The mean intersection over union of the classes that are there or predicted, over the pixels of all images."""
    total = counts.sum(0)
    right = np.diag(total)
    union = total.sum(1) + total[:, :-1].sum(0) - right
    there = union > 0
    return {
        "mIoU": float((right[there] / union[there]).mean()) if there.any() else 0.0,
        "pixel accuracy": float(right.sum() / total.sum()) if total.any() else 0.0,
    }


ROLES = (
    Role(
        "scores",
        {form: {"scores": form} for form in ("logits", "softmax", "sigmoid", "probabilities")},
        {"logits": "logits", "probabilities": "probabilities", "masks": None},
    ),
    Role("classes", also={"indices": None}),
    Role(_QUERY_CLASSES),
    Role(_QUERY_MASKS),
)

TASK = ExportTask(
    name=RUNTIME.name,
    roles=ROLES,
    target=partial(image_target, wrapper=Segmenter),
    score=Scoring(labelled=labelled.masks, condensed=lambda rows: rows, values=_values, counted=_confusion),
)
