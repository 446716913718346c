"""Whether a graph's answers are good enough: its score on labelled images, which int8 graphs are made by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from msgspec.structs import replace as changed
from numpy.typing import NDArray

from lit_export import calibration, quantize, score
from lit_export.labelled import Labelled, Question
from lit_export.options import Options
from lit_export.proof import parity
from lit_export.proof.samples import Sample
from lit_export.quantize import CalibrationBatch
from lit_export.tasks import TASKS, Scoring, Target, answers
from lit_export.tasks.texts import text_fields
from lit_infer import images, progress
from lit_infer.bundle import GraphFile
from lit_infer.errors import GateError, UsageError
from lit_infer.hardware import DEFAULT_BATCH_SIZE
from lit_infer.images import ImageInput, Pixels
from lit_infer.manifest import DataScore, Precision, Quantization
from lit_infer.predictor import Predictor, open_predictor
from lit_infer.proof import INT8_ALONE, Tolerance
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.fields import Fields
from lit_infer.rows.files import readers_of
from lit_infer.tensors import Arrays

_REAL = ("data", "file")
"""Kinds of inputs that say what production sends."""
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

    @cached_property
    def fields(self) -> Fields | None:
        """What a labelled row holds, of a task on rows."""
        facts = self.target.facts
        if facts.fields is None:
            return None
        if facts.fields.audio is not None:
            return AudioFields.opened(facts.fields.audio)
        if facts.fields.text is None:
            return ColumnFields(facts.fields)
        return text_fields(self.target.module, facts, self.options)

    def score_of_rows(self, answer: Callable[[Arrays], Arrays]) -> dict[str, float]:
        """The scores of what answers rows."""
        assert self.fields is not None and self._score is not None  # noqa: S101, PT018 - of a task on rows
        return score.of_rows(
            answer,
            self.labelled,
            self._score,
            self.target.reading,
            fields=self.fields,
            batch=self.target.batch,
            read=self.target.spec.read,
        )

    @property
    def _score(self) -> Scoring | None:
        return TASKS[self.target.facts.task].score

    def score(self, predictor: Predictor) -> DataScore | None:
        """A graph's score beside the eager module's; GateError if it lost more than `max_drop`."""
        metric = self.target.spec.metric
        if self.eager is None or self._score is None or metric is None:
            return None
        if self.fields is not None:
            found = self.score_of_rows(lambda arrays: _run(predictor, arrays))
        else:
            found = score.of_graph(predictor, self.labelled, self._score)
        value, eager = found.pop(metric.name), self.eager[metric.name]
        score.check_drop(metric, graph=value, eager=eager, max_drop=self.options.max_drop)
        images = sum(1 for _ in self.labelled)
        return DataScore(metric=metric.name, value=value, eager=eager, images=images, also=found)

    def tolerance(self, precision: Precision) -> Tolerance:
        """How far a graph may be from the eager module. Where nothing else judges int8, its difference does."""
        usual = parity.tolerance(precision, self.options)
        if precision != "int8" or self.target.takes_images or self.fields is not None:
            return usual
        asked = {name: getattr(self.options, name) for name in ("atol", "rtol") if getattr(self.options, name)}
        return replace(INT8_ALONE, **asked)

    def samples(self, precision: Precision, expected: Sequence[Sample]) -> Sequence[Sample]:
        """What a graph is compared on: the samples, and for int8 that nothing else judges all of its calibration."""
        alone = precision == "int8" and not self.target.takes_images and self.fields is None
        return (*expected, *self._real) if alone else expected

    def quantize(self, fp32: Path, out: Path, in_float: Sequence[str], expected: Sequence[Sample]) -> Quantization:
        """Write an int8 graph that is as accurate as was asked; layers are restored to float until it is."""
        if self.fields is not None:  # its score is measured once it is written, as every graph's
            return quantize.dynamic(fp32, out, in_float=in_float)
        truth = self._rows(fp32) if self.eager is None and self.target.takes_images else None

        def accept(path: Path) -> bool:
            if truth is not None:
                return self._agreement(self._rows(path), truth) >= AGREEMENT
            try:
                self._check_int8(_open(path), expected)
            except GateError:
                return False
            return True

        return quantize.int8(fp32, out, calibration=self._calibration, in_float=in_float, accept=accept)

    def _check_int8(self, predictor: Predictor, expected: Sequence[Sample]) -> None:
        """Raise GateError unless the answers are right as often as was asked, or near enough to the eager module's."""
        if self.target.takes_images:
            self.score(predictor)
            return
        compared = self.samples("int8", expected)
        parity.parity(predictor, compared, precision="int8", tolerance=self.tolerance("int8"))

    def _rows(self, path: Path) -> NDArray[np.float32]:
        """A graph's answers for the calibration images."""
        predictor = _open(path)
        output = predictor.manifest.outputs[0].name
        return np.concatenate([predictor.run(batch.inputs)[output] for batch in self._calibration])

    def _agreement(self, rows: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
        law = self.target.spec.agreement
        assert law is not None  # noqa: S101 - judge_for refused int8 without it
        return float(law.same(rows, truth, self.target.reading).mean())

    @cached_property
    def _calibration(self) -> list[CalibrationBatch]:
        """At most 256 real inputs, as batches: every candidate is judged on them."""
        names = [tensor.name for tensor in self.target.inputs]
        if not self.target.takes_images:
            return [CalibrationBatch(dict(zip(names, one.inputs, strict=True)), one.rows) for one in self._real]
        assert self.options.calibration is not None  # noqa: S101 - _check refused int8 without it
        suffixes = images.suffixes(self.target.facts.preprocess)
        source = calibration.images(self.options.calibration, trust=self.options.trust, suffixes=suffixes)
        return [CalibrationBatch({names[0]: one}, len(one)) for one in calibration.batches(source, self._prepare)]

    @cached_property
    def _real(self) -> list[Sample]:
        """The real inputs of a tensor model, and the eager module's answers for them."""
        module, size = self.target.module, DEFAULT_BATCH_SIZE
        return [Sample(one, answers(module, one), size=size) for one in calibration.tensors(self.target)]

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
    if target.facts.tiles is not None:
        progress.note("warning: images are scored as wholes, prepared as a tile would be, and not in tiles")
    progress.note(f"score the eager module on {options.data}")
    found = TASKS[target.facts.task].score
    assert found is not None  # noqa: S101 - _check refused a task without one
    asked = question(target, options, options.data, "--data")
    if plain.fields is not None:
        suffixes = frozenset(readers_of(plain.fields))
        asked = replace(asked, fields=plain.fields, target=options.target, suffixes=suffixes)
    items = found.labelled(asked)
    if plain.fields is not None:
        eager = replace(plain, labelled=items).score_of_rows(lambda arrays: answers(target.module, arrays))
    elif found.counted is None:
        eager = score.of_module(target.module, items, found, target.reading, prepare=plain._prepare)
    else:
        eager = score.of_positions(target, items, found)
    return Judge(target, options, items, eager)


def question(target: Target, options: Options, source: Path, option: str) -> Question:
    """The labelled images that are needed for a target."""
    size = target.size or 0  # image_target measured it, for tasks whose labels are columns of the answer
    suffixes = images.suffixes(target.facts.preprocess)
    return Question(
        source,
        target.facts.labels,
        size,
        option=option,
        trust=options.trust,
        suffixes=suffixes,
        answers=target.facts.answers,
    )


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
    if target.takes_images:
        _check_int8_of_images(target, options, name)
    elif target.facts.fields is not None:
        if TASKS[name].score is None or options.data is None:
            given = "--data FOLDER" if target.facts.fields.audio is not None else "--data FILE --target NAME"
            raise UsageError(f"--precision int8 of {name} is judged by labelled rows: give {given}")
    elif target.inputs_kind not in _REAL:
        raise UsageError(
            f"--precision int8 of task {name} is calibrated and compared on real inputs: give --inputs FILE.npz or "
            "--data-module PKG.MOD:DATA"
        )
    if target.batch is not None:
        raise UsageError("--precision int8 needs a dynamic batch: leave --static-batch out")


def _check_int8_of_images(target: Target, options: Options, name: str) -> None:
    if TASKS[name].score is None:
        raise UsageError(f"--precision int8 is for tasks whose answers can be right or wrong; this is {name}")
    if options.calibration is None:
        raise UsageError(f"--precision int8 of {name} needs --calibration FOLDER: at least 128 images")
    if options.data is None and target.spec.agreement is None:
        raise UsageError(f"--precision int8 of {name} needs labelled images to be judged by: give --data FOLDER")


def _run(predictor: Predictor, arrays: Arrays) -> Arrays:
    names = [tensor.name for tensor in predictor.manifest.inputs]
    return tuple(predictor.run(dict(zip(names, arrays, strict=True))).values())


def _open(path: Path) -> Predictor:
    return open_predictor(GraphFile(path, manifest=None, listed=None), device="cpu", tiles=False)
