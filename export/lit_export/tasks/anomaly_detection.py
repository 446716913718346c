"""Task `anomaly-detection`: a score for each image, and a map where the module has one; AUROC, and the best F1."""

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export import labelled
from lit_export.chosen import Role
from lit_export.output_paths import listed, tensor_at
from lit_export.tasks.images import ImageModule, image_target
from lit_export.tasks.main_output import MainOutput, parts_of
from lit_export.tasks.spec import ExportTask, Scoring, TunedFacts
from lit_export.tasks.target import Target
from lit_infer import manifest
from lit_infer.errors import GateError, UsageError
from lit_infer.folder.anomaly_folder import MASKS, AnomalyTruth
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import Reading
from lit_infer.tasks.anomaly_detection import TASK as RUNTIME
from lit_infer.tasks.anomaly_detection import Anomaly
from lit_infer.tensors import Arrays

SCORES = ("pred_score", "anomaly_score", "score", "scores")
MAPS = ("anomaly_map", "map", "maps", "heatmap", "error_map")
_THRESHOLDS = ("image_threshold", "anomaly_threshold", "threshold")
"""Attributes of modules that know from which score on an image is anomalous."""


_IMAGE, _PIXELS = 0, 1
"""What a row that is kept for the score is of: an image, with its score, or the pixels in a bin of values."""
_BINS = 2**17
_FAR = 1e6
"""Of the distance from `low` to the threshold: all values beyond are in one bin."""


class AnomalyModule(ImageModule):
    """Scores float32 [batch]; and maps float32 [batch, 1, height, width] of a module that has some.

    What the module may answer: a score [batch(, 1)], a map [batch(, 1), h, w], both by name, as anomalib's do; or the
    image as it should be, where that is said.
    """

    output = "score"

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__(module, facts)
        self.is_mean = facts.answers.get("score") == "mean"
        self.is_reconstruction = bool(facts.answers.get("reconstruction")) or "reconstruction" in self.chosen
        self.paths: dict[str, str] = {}

    def parts(self, images: Tensor) -> tuple[Tensor | None, Tensor | None, MainOutput]:
        """The module's score [batch] and map [batch, 1, h, w], of which one may be missing; and what was taken."""
        output, pixels = self.called(images), self.first(images)
        named = {"the output": output} if isinstance(output, Tensor) else parts_of(output)
        tensors = {name: part for name, part in named.items() if isinstance(part, Tensor)}
        shapes = {name: _meaning(tensor, len(images)) for name, tensor in tensors.items()}
        score = _named(SCORES, [name for name, meaning in shapes.items() if meaning == "score"])
        plane = _named(MAPS, [name for name, meaning in shapes.items() if meaning == "map"])
        if self.chosen:
            chosen = {role: listed(output, path) for role, path in self.chosen.items()}
            tensors |= {path: tensor_at(output, path) for path in chosen.values()}
            for role, path in chosen.items():
                self._check_chosen(role, path, tensors[path], pixels)
            score, plane = chosen.get("score"), chosen.get("map")
        shown: Tensor | None
        if self.is_reconstruction:
            same = [name for name, tensor in tensors.items() if tensor.shape == pixels.shape]
            if "reconstruction" in self.chosen:
                same = [listed(output, self.chosen["reconstruction"])]
            if not same:
                raise UsageError("answers: reconstruction: the module answers nothing of the shape of its input")
            plane, shown = same[0], ((tensors[same[0]] - pixels) ** 2).mean(1, keepdim=True)
        else:
            shown = None if plane is None else tensors[plane].reshape(len(images), 1, *tensors[plane].shape[-2:])
        if score is None and plane is None:
            what = (
                ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in tensors.items()) or type(output).__name__
            )
            raise GateError(f"the module answers {what}: no score [batch], and no map [batch, 1, height, width]")
        taken = " and ".join(name for name in (score, plane) if name is not None)
        others = tuple(name for name in tensors if name not in (score, plane))
        main = tensors[score].reshape(len(images)) if score is not None else shown
        assert main is not None  # noqa: S101 - one of them is there
        paths = {} if isinstance(output, Tensor) and not self.chosen else self._paths(score, plane)
        if paths != self.paths:  # not while it is traced
            self.paths = paths
        return None if score is None else main, shown, MainOutput(main, taken, others)

    def _check_chosen(self, role: str, path: str, tensor: Tensor, pixels: Tensor) -> None:
        """Raise UsageError for an output that is not what a person said."""
        if role == "reconstruction":
            if tensor.shape != pixels.shape:
                raise UsageError(f"outputs: reconstruction={path} is {list(tensor.shape)}, and its input not")
        elif _meaning(tensor, len(pixels)) != role:
            shape = "[batch]" if role == "score" else "[batch, 1, height, width]"
            raise UsageError(f"outputs: {role}={path} is {list(tensor.shape)}, and a {role} is {shape}")

    def _paths(self, score: str | None, plane: str | None) -> dict[str, str]:
        """By role the output that is it."""
        found = {"score": score, "reconstruction" if self.is_reconstruction else "map": plane}
        return {role: path for role, path in found.items() if path is not None}

    def taken(self, *inputs: Tensor) -> dict[str, tuple[str | None, Sequence[str]]]:
        """The score, the map, or what that is made of."""
        self.parts(*inputs)
        return {role: (path, ()) for role, path in self.paths.items()}

    def answer(self, images: Tensor) -> MainOutput:
        """The score, or the map where there is none; without a warning of its own, since all is said in one."""
        found = self.parts(images)[2]
        return MainOutput(found.tensor, found.name)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The score, and the map if there is one."""
        score, plane, _ = self.parts(images)
        if plane is None:
            assert score is not None  # noqa: S101 - one of them is there
            return score.to(torch.float32)
        plane = plane.to(torch.float32)
        if score is None:
            score = plane.mean((1, 2, 3)) if self.is_mean else plane.amax((1, 2, 3))
        return score.to(torch.float32), plane

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """What was taken for what."""
        del scores
        height, width = facts.height_width
        example = self.blank(facts)
        with torch.no_grad():
            score, plane, found = self.parts(example)
        words = [f"{found.name} {'are' if score is not None and plane is not None else 'is'} taken"]
        if found.others:
            words.append(f"{', '.join(found.others)} left out")
        if score is None:
            how = "mean" if self.is_mean else "maximum"
            words.append(f"the score is the {how} of the map (answers: {{score: max | mean}})")
        if self.is_reconstruction:
            words.append("the map is the mean squared difference to the reconstruction")
        if plane is not None and tuple(plane.shape[2:]) != (height, width):
            sides = " x ".join(map(str, plane.shape[2:]))
            words.append(f"the map of {sides} covers the whole of the model's {height} x {width} images")
        threshold = self._threshold(facts)
        if threshold is not None:
            words.append(f"above {threshold[0]:.6g} an image is anomalous, {threshold[1]}")
        return ("; ".join(words),)

    def _threshold(self, facts: DeploymentFacts) -> tuple[float, str] | None:
        stated = facts.answers.get("threshold")
        return (stated, "as was said") if stated is not None else threshold_of(self.module)

    def check(self, answer: NDArray[Any]) -> None:
        """Nothing: shapes were looked at."""

    def facts_found(self, facts: DeploymentFacts, example: Arrays) -> DeploymentFacts:
        """With the module's threshold."""
        del example
        threshold = self._threshold(facts)
        return facts if threshold is None else replace(facts, answers={**facts.answers, "threshold": threshold[0]})

    def outputs(
        self, found: Arrays, batch: int | str, sides: tuple[int | str, int | str]
    ) -> tuple[manifest.Tensor, ...]:
        """The score, and the map if there is one."""
        del sides
        score = manifest.Tensor(name=self.output, dtype="float32", shape=(batch,))
        planes = [manifest.Tensor(name="map", dtype="float32", shape=(batch, *one.shape[1:])) for one in found[1:]]
        return (score, *planes)


def threshold_of(module: nn.Module) -> tuple[float, str] | None:
    """A threshold that the module itself knows, and where it is; None if it knows none.

    anomalib's post-processor, where it has seen the least and the most of the scores, shifts them so that its threshold
    becomes `normalized_image_threshold`.
    """
    post = getattr(module, "post_processor", None)
    if post is not None:
        has_range = _number(getattr(post, "image_min", None)) is not None
        is_shifted = has_range and bool(getattr(post, "enable_normalization", False))
        name = "normalized_image_threshold" if is_shifted else "image_threshold"
        if (value := _number(getattr(post, name, None))) is not None:
            return value, f"from its post_processor.{name}"
    for name in _THRESHOLDS:
        if (value := _number(getattr(module, name, None))) is not None:
            return value, f"from its {name}"
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, Tensor) and value.numel() == 1:
        value = float(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _meaning(tensor: Tensor, batch: int) -> str | None:
    """What a tensor may be, by its shape."""
    if not tensor.is_floating_point() or tensor.ndim == 0 or len(tensor) != batch:
        return None
    if tensor.numel() == batch and tensor.ndim <= 2:
        return "score"
    is_map = tensor.ndim == 3 or (tensor.ndim == 4 and tensor.shape[1] == 1)
    return "map" if is_map else None


def _named(names: Sequence[str], fitting: Sequence[str]) -> str | None:
    """By name, else by shape."""
    return next((name for name in names if name in fitting), fitting[0] if fitting else None)


def _check_threshold(target: Target, expected: Sequence[Arrays]) -> None:
    """Raise UsageError where nothing says from which score on an image is anomalous."""
    del expected
    if target.reading.facts.threshold is None:
        raise UsageError(
            "above which score an image is anomalous is not known: the module has no threshold. Give --thresholds-from "
            "FOLDER, with good/ and folders of anomalies, for the best F1 on it; or answers: {threshold: 0.4} in --spec"
        )


def best_threshold(scores: NDArray[Any], truths: NDArray[Any]) -> tuple[float, float]:
    """The threshold with the best F1, half-way between two scores, and that F1."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order].astype(np.float64), np.cumsum(truths[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + truths.sum())
    last = np.append(ranked[1:] < ranked[:-1], True)  # of equal scores all or none are above a threshold
    best = int(np.argmax(np.where(last, f1, -1)))
    below = ranked[best + 1] if best + 1 < len(ranked) else ranked[best] - abs(ranked[best]) * 1e-3
    return float((ranked[best] + below) / 2), float(f1[best])


def _tuned(rows: NDArray[Any], truths: Sequence[Any], _: Reading) -> TunedFacts:
    scores, known = rows.reshape(-1), _known(truths)
    threshold, f1 = best_threshold(scores, known)
    rounded = float(np.float32(threshold))
    return TunedFacts({"threshold": rounded}, (f"above {rounded:.6g} an image is anomalous: the best F1, {f1:.4f}",))


def _known(truths: Iterable[Any]) -> NDArray[np.int64]:
    """1 for each that is anomalous."""
    known = np.array([_is_anomalous(truth) for truth in truths], np.int64)
    if known.min() == known.max():
        what = "good" if known[0] == 0 else "anomalous"
        raise UsageError(f"all images are {what}: images of both kinds are needed")
    return known


def _is_anomalous(truth: Any) -> int:
    return int(truth.is_anomalous if isinstance(truth, AnomalyTruth) else truth)


def _counted(answer: Anomaly, truth: Any, reading: Reading) -> NDArray[np.float64]:
    """Of an image its score, and of its pixels how many lie in each bin, where it is known which are anomalous."""
    is_bad = _is_anomalous(truth)
    image = np.array([[_IMAGE, answer.score, 1 - is_bad, is_bad]], np.float64)
    if answer.map is None or not isinstance(truth, AnomalyTruth) or not truth.has_pixels:
        return image
    marked = truth.pixels((answer.map.shape[0], answer.map.shape[1]))
    bins = _bins(answer.map, reading)
    counts = [np.bincount(bins[which], minlength=_BINS) for which in (~marked, marked)]
    there = np.flatnonzero(counts[0] + counts[1])
    return np.concatenate((image, np.stack((np.full(len(there), _PIXELS), there, *(one[there] for one in counts)), 1)))


def _bins(plane: NDArray[np.float32], reading: Reading) -> NDArray[np.int64]:
    """Which bin each value is in: they are the finer the nearer it is to those between `low` and the threshold."""
    facts = reading.facts
    room = 1.0 if facts.threshold is None else facts.threshold - facts.low
    values = np.clip((plane - np.float64(facts.low)) / room, -_FAR, _FAR)
    bins: NDArray[np.int64] = ((values / (1 + np.abs(values)) + 1) * (_BINS / 2)).astype(np.int64)
    return bins


def _merged(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The pixels of a bin together; images stay as they are."""
    images, pixels = (rows[rows[:, 0] == kind] for kind in (_IMAGE, _PIXELS))
    bins, places = np.unique(pixels[:, 1], return_inverse=True)
    good, bad = (np.bincount(places, pixels[:, column], minlength=len(bins)) for column in (2, 3))
    return np.concatenate((images, np.stack((np.full(len(bins), _PIXELS), bins, good, bad), 1)))


def _values(rows: NDArray[np.float64], _: Sequence[Any], reading: Reading) -> dict[str, float]:
    """The area under the ROC curve, the F1 at the threshold and the best one; and the area of the pixels."""
    images, pixels = (rows[rows[:, 0] == kind, 1:] for kind in (_IMAGE, _PIXELS))
    scores, known = images[:, 0], _known(images[:, 2])
    bad = int(known.sum())
    found = {"AUROC": _area(images)}
    if reading.facts.threshold is not None:
        above = scores > reading.facts.threshold
        found["F1"] = float(2 * (above & (known == 1)).sum() / max(1, above.sum() + bad))
    found["best F1"] = best_threshold(scores, known)[1]
    if not len(pixels):
        return found
    if not pixels[:, 2].any():
        raise UsageError(f"the masks in {MASKS}/ mark no pixel: what is anomalous in them is not 0")
    return {**found, "pixel AUROC": _area(pixels)}


def _area(counts: NDArray[np.float64]) -> float:
    """Under the ROC curve, of [n, 3]: a value, how many good ones and how many anomalous ones have it."""
    _, places = np.unique(counts[:, 0], return_inverse=True)
    good, bad = (np.bincount(places, counts[:, column]) for column in (1, 2))
    below = np.cumsum(good) - good / 2  # of equal values half count
    return float((bad * below).sum() / (bad.sum() * good.sum()))


TASK = ExportTask(
    name=RUNTIME.name,
    roles=(Role("score", also={"scores": None}), Role("map", also={"maps": None}), Role("reconstruction")),
    target=partial(image_target, wrapper=AnomalyModule),
    score=Scoring(
        labelled=labelled.anomalies, condensed=lambda rows: rows, values=_values, counted=_counted, merged=_merged
    ),
    check_answers=_check_threshold,
    tuned=_tuned,
)
