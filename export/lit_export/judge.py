"""Whether a graph's answers are good enough: its score on labelled images, which int8 graphs are made by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from msgspec.structs import replace as changed
from numpy.typing import NDArray

from lit_export import calibration, quantize, score
from lit_export.labelled import Labelled, Question
from lit_export.options import Options
from lit_export.tasks import TASKS, Scoring, Target
from lit_infer import images, progress
from lit_infer.bundle import GraphFile
from lit_infer.errors import GateError, UsageError
from lit_infer.images import ImageInput, Pixels
from lit_infer.manifest import DataScore, Quantization
from lit_infer.predictor import Predictor, open_predictor

AGREEMENT = 0.95
"""Share of the calibration images whose best class int8 must keep, if no labelled images are given."""


@dataclass(frozen=True)
class Judge:
    """Knows the labelled images, and the eager module's score on them."""

    target: Target
    options: Options
    labelled: Labelled = ()
    eager: Mapping[str, float] | None = None
    """The eager module's scores on `labelled`, the task's metric first; None if none were given."""

    @property
    def _score(self) -> Scoring | None:
        return TASKS[self.target.facts.task].score

    def score(self, predictor: Predictor) -> DataScore | None:
        """A graph's score beside the eager module's; GateError if it lost more than `max_drop`."""
        metric = self.target.spec.metric
        if self.eager is None or self._score is None or metric is None:
            return None
        found = score.of_graph(predictor, self.labelled, self._score)
        value, eager = found.pop(metric.name), self.eager[metric.name]
        score.check_drop(metric, graph=value, eager=eager, max_drop=self.options.max_drop)
        images = sum(1 for _ in self.labelled)
        return DataScore(metric=metric.name, value=value, eager=eager, images=images, also=found)

    def quantize(self, fp32: Path, out: Path, in_float: Sequence[str]) -> Quantization:
        """Write an int8 graph that is as accurate as was asked; layers are restored to float until it is."""
        truth = None if self.eager is not None else self._rows(fp32)

        def accept(path: Path) -> bool:
            if truth is not None:
                return self._agreement(self._rows(path), truth) >= AGREEMENT
            try:
                return self.score(_open(path)) is not None
            except GateError:
                return False

        return quantize.int8(fp32, out, calibration=self._calibration, in_float=in_float, accept=accept)

    def _rows(self, path: Path) -> NDArray[np.float32]:
        """A graph's answers for the calibration images."""
        predictor = _open(path)
        name, output = predictor.manifest.inputs[0].name, predictor.manifest.outputs[0].name
        return np.concatenate([predictor.run({name: batch})[output] for batch in self._calibration])

    def _agreement(self, rows: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
        law = self.target.spec.agreement
        assert law is not None  # noqa: S101 - judge_for refused int8 without it
        return float(law.same(rows, truth, self.target.reading).mean())

    @cached_property
    def _calibration(self) -> list[NDArray[np.uint8]]:
        """At most 256 prepared images, as batches: every candidate is judged on them."""
        assert self.options.calibration is not None  # noqa: S101 - Options refuses int8 without it
        source = calibration.images(self.options.calibration, trust=self.options.trust)
        return list(calibration.batches(source, self._prepare))

    def _prepare(self, item: ImageInput) -> Pixels:
        facts = self.target.facts
        return images.prepare(item, steps=facts.preprocess, channels=facts.channels)


def judge_for(target: Target, options: Options) -> Judge:
    """With the eager module's score on `options.data`, if that is given."""
    plain = Judge(target, options)
    _check(target, options)
    if options.data is None:
        return plain
    if options.thresholds_from is not None and options.thresholds_from.resolve() == options.data.resolve():
        progress.note("warning: the thresholds were chosen on the images that are scored: the score flatters them")
    progress.note(f"score the eager module on {options.data}")
    found = TASKS[target.facts.task].score
    assert found is not None  # noqa: S101 - _check refused a task without one
    items = found.labelled(question(target, options, options.data, "--data"))
    eager = score.of_module(target.module, items, found, target.reading, prepare=plain._prepare)
    return Judge(target, options, items, eager)


def question(target: Target, options: Options, source: Path, option: str) -> Question:
    """The labelled images that are needed for a target."""
    size = target.outputs[0].shape[-1]
    assert isinstance(size, int)  # noqa: S101 - image_target measured it
    return Question(source, target.facts.labels, size, option=option, trust=options.trust)


def tuned(target: Target, options: Options) -> Target:
    """The target with facts that were chosen on labelled images, if that was asked for."""
    if options.thresholds_from is None:
        return target
    task = TASKS[target.facts.task]
    if task.tuned is None or task.score is None:
        raise UsageError(f"--thresholds-from is for tasks that have thresholds; this is {target.facts.task}")
    progress.note(f"choose thresholds on {options.thresholds_from}")
    items = task.score.labelled(question(target, options, options.thresholds_from, "--thresholds-from"))
    found = list(score.answers(target.module, items, prepare=Judge(target, options)._prepare))
    if not found:
        raise UsageError(f"--thresholds-from {options.thresholds_from}: there are no images")
    rows, truths = np.concatenate([rows for rows, _ in found]), [truth for _, some in found for truth in some]
    better = task.tuned(rows, truths, target.reading)
    for warning in better.warnings:
        progress.note(f"warning: {warning}")
    return replace(target, facts=changed(target.facts, answers={**target.facts.answers, **better.answers}))


def _check(target: Target, options: Options) -> None:
    """Raise UsageError if there is nothing to judge by."""
    task, name = TASKS[target.facts.task], target.facts.task
    if options.data is not None and task.score is None:
        raise UsageError(f"--data is for tasks whose answers can be right or wrong; this is {name}")
    if "int8" not in options.precisions:
        return
    if task.score is None:
        raise UsageError(f"--precision int8 is for tasks whose answers can be right or wrong; this is {name}")
    if options.data is None and target.spec.agreement is None:
        raise UsageError(f"--precision int8 of {name} needs labelled images to be judged by: give --data FOLDER")
    if target.batch is not None:
        raise UsageError("--precision int8 needs a dynamic batch: leave --static-batch out")


def _open(path: Path) -> Predictor:
    return open_predictor(GraphFile(path, manifest=None, listed=None), device="cpu")
