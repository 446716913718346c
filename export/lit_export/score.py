"""The score on labelled images: of the eager module, of each graph, and how far a graph may fall behind.

What a score is, the task's row says: accuracy, macro F1, mean absolute error.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export.labelled import Labelled
from lit_export.tasks import Scoring, Target
from lit_export.tasks import answers as target_answers
from lit_infer.answering import with_way
from lit_infer.batching import rows as batches
from lit_infer.errors import GateError, InputError, UsageError
from lit_infer.hardware import DEFAULT_BATCH_SIZE
from lit_infer.images import ImageInput, Pixels, prepare_noted
from lit_infer.manifest import DeploymentFacts
from lit_infer.predictor import Predictor
from lit_infer.rows.answering import prepared_together, with_places
from lit_infer.rows.fields import Fields
from lit_infer.tasks import Ask, Metric, Outputs, Reading
from lit_infer.tensors import Arrays

MAX_DROP = 0.005
ReadAnswers = Callable[[Outputs, Sequence[Ask], Reading], Sequence[Any]]
_ROWS = 64
_APART = 16
"""Answers whose rows are kept before they are added up."""


def of_graph(
    predictor: Predictor, items: Labelled, score: Scoring, *, batch_size: int = DEFAULT_BATCH_SIZE
) -> dict[str, float]:
    """A graph's scores, the task's metric first. Raises GateError for an image that cannot be read."""
    truths: list[Any] = []
    waiting: deque[Any] = deque()

    def images() -> Iterator[ImageInput]:
        for image, truth in items:
            waiting.append(truth)
            yield image

    kept = []
    for prediction in predictor.stream(
        _readable(images()), top_k=1, threshold=score.threshold, batch_size=batch_size, output=True
    ):
        if prediction.output is None:
            raise _unreadable(prediction.path or "an image", str(prediction.error))
        truth = waiting.popleft()
        if score.counted is not None:
            kept.append(score.counted(prediction.answer, truth, predictor.manifest.reading))
            _merge(kept, score)
            continue
        truths.append(truth)
        kept.append(score.condensed(prediction.output[None]))
    return _values(kept, truths, score, predictor.manifest.reading)


def of_module(
    module: Any,
    items: Labelled,
    score: Scoring,
    reading: Reading,
    *,
    prepare: Callable[[ImageInput], Pixels],
    batch_size: int = DEFAULT_BATCH_SIZE,
) -> dict[str, float]:
    """As `of_graph`, of the eager module. `prepare` is a predictor's, so that both see the same pixels."""
    kept, truths = [], []
    for rows, truth in answers(module, items, prepare=prepare, batch_size=batch_size):
        kept.append(score.condensed(rows))
        truths += truth
    return _values(kept, truths, score, reading)


def of_rows(  # noqa: PLR0913 - each is a fact of its own
    answer: Callable[[Arrays], Arrays],
    items: Labelled,
    score: Scoring,
    reading: Reading,
    *,
    fields: Fields,
    batch: int | None = None,
    read: ReadAnswers,
) -> dict[str, float]:
    """As `of_graph`, of rows: what `answer`, a graph or the eager module, makes of them. `batch`: all that it takes.

    `read`: the task's own way from outputs to answers.
    """
    kept, truths, source = [], [], iter(items)
    while some := list(islice(source, batch or _ROWS)):
        try:
            prepared = prepared_together(fields.block([row for row, _ in some]), fields)
        except InputError as error:
            raise _unreadable("a row", str(error)) from None
        count = len(prepared.arrays[0])
        outputs = batches.run(lambda parts: answer(tuple(parts)), prepared.arrays, count=count, size=batch)
        outputs = prepared.merged(outputs)
        if score.counted is not None:
            asks = with_places([Ask(threshold=score.threshold)] * len(some), prepared.places())
            found = read(outputs, asks, reading)
            kept += [score.counted(one, truth, reading) for one, (_, truth) in zip(found, some, strict=True)]
            continue
        kept.append(score.condensed(outputs[0]))
        truths += [truth for _, truth in some]
    return _values(kept, truths, score, reading)


def of_positions(
    target: Target, items: Labelled, score: Scoring, *, batch_size: int = DEFAULT_BATCH_SIZE
) -> dict[str, float]:
    """As `of_module`, of a task whose answers have positions: they are compared in the images as they were."""
    facts, kept = target.facts, []
    source = _readable(iter(items))
    while batch := list(islice(source, batch_size)):
        prepared = [_noted(image, facts) for image, _ in batch]
        rows = target_answers(target.module, (np.stack([pixels for pixels, _ in prepared]),), kind="images")
        asks = [with_way(Ask(threshold=score.threshold), size, facts.preprocess) for _, size in prepared]
        found = target.spec.read(rows, asks, target.reading)
        assert score.counted is not None  # noqa: S101 - that is what this is for
        for one, (image, truth) in zip(found, batch, strict=True):
            if isinstance(one, InputError):
                raise _unreadable(str(image), str(one))
            kept.append(score.counted(one, truth, target.reading))
            _merge(kept, score)
    return _values(kept, [], score, target.reading)


def _noted(image: ImageInput, facts: DeploymentFacts) -> tuple[Pixels, tuple[int, int]]:
    try:
        pixels, _, _, size = prepare_noted(image, steps=facts.preprocess, channels=facts.channels)
    except InputError as error:
        raise _unreadable(str(image), str(error)) from None
    return pixels, size


def answers(
    module: Any,
    items: Labelled,
    *,
    prepare: Callable[[ImageInput], Pixels],
    batch_size: int = DEFAULT_BATCH_SIZE,
) -> Iterator[tuple[NDArray[np.float32], list[Any]]]:
    """The eager module's rows for labelled images, batch by batch, and their targets.

    The module takes uint8 [batch, height, width, channels] and is in eval mode.
    """
    import torch

    if any(part.training for part in module.modules()):
        raise GateError("the module is in training mode: its score would not be that of deployment")
    source = _readable(iter(items))
    while batch := list(islice(source, batch_size)):
        pixels = np.stack([_prepared(prepare, image) for image, _ in batch])
        with torch.no_grad():
            found = module(torch.from_numpy(pixels))
            first = found[0] if isinstance(found, tuple) else found
            yield first.numpy(), [truth for _, truth in batch]


def check_drop(metric: Metric, *, graph: float, eager: float, max_drop: float = MAX_DROP) -> None:
    """Raise GateError if a graph's score is worse than the eager module's by more than `max_drop`.

    For a score of 0 to 1 that is in points; for one with a unit it is a share of the eager module's.
    """
    if metric.better == "max" and not metric.is_share:
        is_right, by = graph >= eager * (1 - max_drop) - 1e-9, f"by {(1 - graph / eager) * 100:.2f} %" if eager else ""
        scores = f"fell from {eager:.6g} (eager) to {graph:.6g}"
    elif metric.better == "max":
        is_right, by = graph >= eager - max_drop - 1e-9, f"by {(eager - graph) * 100:.2f} points"  # of the subtraction
        scores = f"fell from {eager:.2%} (eager) to {graph:.2%}"
    else:
        is_right = graph <= eager * (1 + max_drop) + 1e-9
        by = f"by {(graph / eager - 1) * 100:.2f} %" if eager else "from nothing"
        scores = f"rose from {eager:.6g} (eager) to {graph:.6g}"
    if not is_right:
        raise GateError(f"{metric.name} {scores}, {by}; {max_drop * 100:g} are allowed (--max-drop)")


def _merge(kept: list[NDArray[Any]], score: Scoring) -> None:
    """So that it stays small."""
    if score.merged is not None and len(kept) >= _APART:
        kept[:] = [score.merged(np.concatenate(kept))]


def _values(kept: list[NDArray[Any]], truths: list[Any], score: Scoring, reading: Reading) -> dict[str, float]:
    if not kept:
        raise UsageError("there are no labelled images or rows to score on")
    return score.values(np.concatenate(kept), truths, reading)


def _readable(items: Iterator[Any]) -> Iterator[Any]:
    """The items of a source that may have to read files itself."""
    try:
        yield from items
    except InputError as error:
        raise _unreadable("an image", str(error)) from None


def _prepared(prepare: Callable[[ImageInput], Pixels], image: ImageInput) -> Pixels:
    try:
        return prepare(image)
    except InputError as error:
        raise _unreadable(str(image), str(error)) from None


def _unreadable(what: str, why: str) -> GateError:
    return GateError(f"labelled data must be complete; {what} cannot be used: {why}")
