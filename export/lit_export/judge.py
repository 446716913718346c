"""Whether a graph's answers are good enough: its score on labelled images, and the making of int8 graphs by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lit_export import calibration, quantize, score
from lit_export.options import Options
from lit_export.tasks import Target
from lit_infer import images, progress
from lit_infer.bundle import GraphFile
from lit_infer.errors import GateError, UsageError
from lit_infer.images import ImageInput, Pixels
from lit_infer.manifest import DataScore, Quantization
from lit_infer.predictor import Predictor, open_predictor

AGREEMENT = 0.95
"""Share of the calibration images whose best class int8 must keep, where no labelled images are given."""


@dataclass(frozen=True)
class Judge:
    """Knows the labelled images, and the eager module's score on them."""

    target: Target
    options: Options
    labelled: score.Labelled = ()
    eager: float | None = None
    """The eager module's top-1 accuracy on `labelled`, 0 to 1; None where none were given."""

    def score(self, predictor: Predictor) -> DataScore | None:
        """A graph's score beside the eager module's; GateError where it lost more than `max_drop`."""
        if self.eager is None:
            return None
        found = score.top1(predictor, self.labelled)
        score.check_drop(found, self.eager, max_drop=self.options.max_drop)
        return DataScore(value=found, eager=self.eager, images=sum(1 for _ in self.labelled))

    def quantize(self, fp32: Path, out: Path, in_float: Sequence[str]) -> Quantization:
        """Write an int8 graph that is as accurate as was asked; layers go back to float until it is."""
        truth = None if self.eager is not None else self._classes(fp32)

        def accept(path: Path) -> bool:
            if truth is not None:
                return float((self._classes(path) == truth).mean()) >= AGREEMENT
            try:
                return self.score(_open(path)) is not None
            except GateError:
                return False

        return quantize.int8(fp32, out, calibration=self._calibration, in_float=in_float, accept=accept)

    def _classes(self, path: Path) -> NDArray[np.int64]:
        """A graph's best class for each of the calibration images."""
        predictor = _open(path)
        name, output = predictor.manifest.inputs[0].name, predictor.manifest.outputs[0].name
        return np.concatenate([predictor.run({name: batch})[output].argmax(-1) for batch in self._calibration])

    @cached_property
    def _calibration(self) -> list[NDArray[np.uint8]]:
        """At most 256 prepared images, as batches: every candidate is tried on them."""
        assert self.options.calibration is not None  # noqa: S101 - Options refuses int8 without it
        source = calibration.images(self.options.calibration, trust=self.options.trust)
        return list(calibration.batches(source, self._prepare))

    def _prepare(self, item: ImageInput) -> Pixels:
        facts = self.target.facts
        return images.prepare(item, steps=facts.preprocess, channels=facts.channels)


def judge_for(target: Target, options: Options) -> Judge:
    """With the eager module's score on `options.data`, where that is given."""
    plain = Judge(target, options)
    if target.facts.task != "image-classification" and (options.data or "int8" in options.precisions):
        asked = "--data" if options.data else "--precision int8"
        raise UsageError(f"{asked} is for task image-classification; this is {target.facts.task}")
    if target.batch is not None and "int8" in options.precisions:
        raise UsageError("--precision int8 needs a dynamic batch: leave --static-batch out")
    if options.data is None:
        return plain
    progress.note(f"score the eager module on {options.data}")
    classes = target.outputs[0].shape[-1]
    assert isinstance(classes, int)  # noqa: S101 - image_target measured it
    labelled = score.labelled_images(options.data, target.facts.labels, classes=classes, trust=options.trust)
    eager = score.eager_top1(target.module, labelled, prepare=plain._prepare)
    return Judge(target, options, labelled, eager)


def _open(path: Path) -> Predictor:
    return open_predictor(GraphFile(path, manifest=None, listed=None), device="cpu")
