"""What the tasks on tables share: the module that takes prepared rows as the runtime sends them, around the user's own.

Each input is [batch, numbers]: float32, or int64 where it is indices of categories only. The user's module gets them in
their order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace as replaced
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_export import labelled_rows
from lit_export.options import Options
from lit_export.proof import table_rows
from lit_export.tasks import image_classification, image_regression
from lit_export.tasks.image_classification import TASK as IMAGE_CLASSIFICATION
from lit_export.tasks.image_classification import Classifier
from lit_export.tasks.image_regression import TASK as IMAGE_REGRESSION
from lit_export.tasks.image_regression import Regressor
from lit_export.tasks.images import SIGMOIDS, ImageModule, ends_in
from lit_export.tasks.main_output import MainOutput
from lit_export.tasks.spec import ExportTask, Scoring
from lit_export.tasks.target import Target, answers
from lit_export.user_code import user_code
from lit_infer import manifest
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.facts import is_index_input
from lit_infer.tasks import TASKS, Reading, tabular
from lit_infer.tensors import Arrays

_LOOKS = 64
"""Rows of noise that show what a module's scores are."""


class TableModule(ImageModule):
    """Prepared rows in; a subclass turns the user's module's scores into answers."""

    sides: Sequence[int] = (1, 2)
    """How many sides the scores may have."""

    def answer(self, *inputs: Tensor) -> MainOutput:
        """The module's main answer as it gives it."""
        cast = [one.to(self.dtype) if one.is_floating_point() else one for one in inputs]
        return self.main(self.module(*cast))

    def scores(self, *inputs: Tensor) -> Tensor:
        """The module's main answer, in float32."""
        return self.answer(*inputs).tensor.to(torch.float32)


class TableClassifier(TableModule, Classifier):
    """Probabilities float32 [batch, classes]. One score for each row is that of the second of two classes."""

    is_one_score = False

    def forward(self, *inputs: Tensor) -> Tensor:
        """A softmax, or a sigmoid of a single score, unless the module ends in one of its own."""
        scores = self.scores(*inputs)
        if self.is_one_score:
            share = scores.reshape(-1, 1) if self.answers_probabilities else torch.sigmoid(scores.reshape(-1, 1))
            return torch.cat([1 - share, share], dim=-1)
        return scores if self.answers_probabilities else torch.softmax(scores, dim=-1)

    @property
    def form(self) -> Sequence[str]:
        """What made them probabilities."""
        usual = "sigmoid" if self.is_one_score else "softmax"
        return ("probabilities" if self.answers_probabilities else usual,)

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """Whether there is one score or one for each class, and whether they are probabilities already."""
        self.is_one_score = scores.ndim == 1 or scores.shape[1:] == (1,)
        if not self.is_one_score:
            return tuple(said.partition(". If")[0] for said in super().find_out(scores, facts))
        stated, within = facts.answers.get("scores"), bool(((scores >= 0) & (scores <= 1)).all())
        if stated == "probabilities" and not within:
            raise UsageError(
                f"answers: the score is declared a probability, but the module answers from {float(scores.min()):.3g} "
                f"to {float(scores.max()):.3g}"
            )
        if stated is None and within and not self.ends_in_sigmoid:
            raise UsageError(
                "the module answers one value from 0 to 1 that does not come from a sigmoid: it may be a probability "
                "or a small logit. Say which in --spec: answers: {scores: probabilities} or answers: {scores: logits}"
            )
        self.answers_probabilities = stated == "probabilities" or (stated is None and within)
        if stated is not None or not within:
            return ()
        return ("the module ends in a sigmoid, whose value is taken as the probability of the second class",)


class TableRegressor(TableModule, Regressor):
    """Numbers float32 [batch, values]; a module that answers [batch] has one value."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """The numbers, unchanged."""
        scores = self.scores(*inputs)
        return scores[:, None] if scores.ndim == 1 else scores


def looked_at(
    wrapped: TableModule, facts: DeploymentFacts, names: Iterable[str], example: Arrays, looked: Arrays
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """What is answered to the example, and what was assumed of it from the answers to `looked`.

    Raises GateError for a module that does not answer row by row, UsageError for facts that its answers do not fit.
    """
    taken = ", ".join(f"{name} {list(array.shape)}" for name, array in zip(names, example, strict=True))
    with user_code(f"{type(wrapped.module).__qualname__}.forward on {taken}"), torch.no_grad():
        ends, chosen = ends_in(wrapped, example)
        wrapped.ends_in_sigmoid = ends in SIGMOIDS
        scores = wrapped.scores(*map(torch.from_numpy, looked))
    if scores.ndim not in wrapped.sides or len(scores) != len(looked[0]):
        wanted = "a label's score for each token of each" if 2 not in wrapped.sides else "a row for each"
        raise GateError(f"the module answers {list(scores.shape)} for {len(looked[0])} rows, and not {wanted}")
    warnings = (*chosen, *wrapped.find_out(scores, facts))
    answer = answers(wrapped, example)[0]
    wrapped.check(answer)
    width, task = answer.shape[-1], TASKS[facts.task]
    if facts.labels is not None and len(facts.labels) != width:
        labels = f"{len(facts.labels)} labels are given and the model has {width} {task.nouns[1]}"
        raise UsageError("; ".join((labels, *chosen)))
    try:
        task.reading(labels=facts.labels, answers=facts.answers, size=width)
    except ValueError as error:
        raise UsageError(f"answers: {error}") from None
    return answer, warnings


def table_target(
    module: torch.nn.Module, facts: DeploymentFacts, options: Options, wrapper: type[TableModule]
) -> Target:
    """The target of a task on tables: the inputs that the columns make in, what the wrapper answers out."""
    fields = facts.fields
    if fields is None:
        raise UsageError(f"{facts.task} needs its columns: --columns FILE, or fields in the spec")
    if options.inputs or options.dynamic:
        raise UsageError(f"--input and --dynamic are for task tensor; the inputs of {facts.task} come from its columns")
    real = table_rows.real(fields, options.table_rows) if options.table_rows is not None else None
    noise = real.drawn if real is not None else partial(table_rows.noise, fields)
    wrapped = wrapper(module, facts).eval()
    size = options.static_batch or 2
    example = noise(np.random.default_rng(0), size)
    looked = noise(np.random.default_rng(1), options.static_batch or _LOOKS)
    answer, warnings = looked_at(wrapped, facts, fields.layout, example, looked)
    batch = options.static_batch or BATCH

    def sized(generator: np.random.Generator, sizes: Mapping[str, int]) -> Arrays:
        return noise(generator, sizes.get(BATCH, size))

    return Target(
        module=wrapped,
        inputs=tuple(
            manifest.Tensor(
                name=name,
                dtype="int64" if is_index_input(columns) else "float32",
                shape=(batch, sum(column.width for column in columns)),
            )
            for name, columns in fields.of_inputs().items()
        ),
        outputs=(manifest.Tensor(name=wrapper.output, dtype="float32", shape=(batch, answer.shape[1])),),
        example=example,
        noise=noise,
        sized=sized,
        facts=wrapped.with_taken(facts, example),
        batch=options.static_batch,
        warnings=warnings,
        assumed=warnings,
        inputs_kind="noise" if real is None else "file",
        inputs_source=None if real is None else real.source,
        inputs_given=None if real is None else real.count,
    )


def _scores(found: NDArray[Any], truths: Sequence[Any], reading: Reading) -> dict[str, float]:
    """The accuracy, and the F1 of the classes that are there or were answered, on average."""
    truth = np.asarray(truths)
    there = np.union1d(found, truth)
    f1 = [2 * ((found == one) & (truth == one)).sum() / ((found == one).sum() + (truth == one).sum()) for one in there]
    del reading
    return {"accuracy": float((found == truth).mean()), "macro F1": float(np.mean(f1))}


CLASS_SCORING = Scoring(labelled=labelled_rows.classes, condensed=image_classification.best, values=_scores)

ROLES = (
    replaced(image_classification.SCORES, forms={**image_classification.SCORES.forms, "sigmoid": {"scores": "logits"}}),
)

CLASSIFICATION = ExportTask(
    name=tabular.CLASSIFICATION.name,
    roles=ROLES,
    target=partial(table_target, wrapper=TableClassifier),
    score=CLASS_SCORING,
    marks=IMAGE_CLASSIFICATION.marks,
)

REGRESSION = ExportTask(
    name=tabular.REGRESSION.name,
    roles=(image_regression.VALUES,),
    target=partial(table_target, wrapper=TableRegressor),
    score=Scoring(labelled=labelled_rows.values, condensed=lambda rows: rows, values=image_regression.errors),
    marks=IMAGE_REGRESSION.marks,
)
