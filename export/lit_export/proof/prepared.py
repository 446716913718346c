"""Prove the rows: the runtime's way from a row to the module's inputs, against training's own code.

`--prepare pkg.mod:fn` is that code, a row in, the inputs out; or `--columns pkg.mod:transformer` names a fitted
transformer of scikit-learn, which is compared with what was read off it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lit_export.front.columns import training_transformer
from lit_export.front.find_class import find_object
from lit_export.options import Options
from lit_export.proof import prepared_audio, prepared_texts, table_rows
from lit_export.tasks import Target
from lit_export.user_code import user_code
from lit_infer import progress
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts, Proof, RowProof
from lit_infer.proof_words import rows_compared
from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.facts import RowFields
from lit_infer.tensors import Arrays

_MADE_UP = 64
_ROUNDING = 2e-6
"""Of float32, where both sides compute the same in another order; a share of the larger of a value and 1."""

TrainingRows = Callable[[Sequence[dict[str, Any]]], Arrays]


@dataclass(frozen=True)
class _Training:
    name: str
    prepare: TrainingRows


def check_options(options: Options, *, facts: DeploymentFacts) -> None:
    """Raise UsageError for options that are for rows, where there are none of that kind."""
    task, has_rows = facts.task, facts.fields is not None
    kind = facts.fields.kind if facts.fields is not None else None
    for option, value, fits, what in (
        ("--columns", options.columns, kind == "columns", "rows of a table"),
        ("--tokenizer", options.tokenizer, kind == "text", "texts"),
        ("--prepare", options.prepare, has_rows, "rows"),
        ("--rows", options.table_rows, has_rows, "rows"),
        ("--target", options.target, has_rows and kind != "audio", "labelled rows of a table"),
    ):
        if value and not fits:
            raise UsageError(f"{option} is for {what}, and task {task} takes none: leave it out")
    others = {
        "--images": options.images,
        "--data-module": options.data_module,
        "--calibration": options.calibration,
        "--inputs": options.input_file,
        "--batch-to-inputs": options.batch_to_inputs,
        "--batch-axis": options.batch_axis,
    }
    if has_rows and (wrong := next((name for name, value in others.items() if value), None)):
        raise UsageError(f"{wrong} is not for task {task}, which is compared on rows: --rows FILE")


def proven(target: Target, options: Options) -> RowProof | None:
    """What was compared; None, with a line, where nothing is named. Raises GateError where they differ."""
    fields = target.facts.fields
    if fields is None:
        return None
    if fields.text is not None:
        return prepared_texts.proven(target, options)
    if fields.audio is not None:
        return prepared_audio.proven(target, fields.audio, options)
    training = _training(fields, options)
    if training is None:
        progress.note(
            "the columns are prepared as stated, and not compared with training's code: --prepare PKG.MOD:FN does that"
        )
        return None
    real = table_rows.real(fields, options.table_rows) if options.table_rows is not None else None
    raw = list(real.raw) if real is not None else table_rows.made_up(fields, _MADE_UP)
    source = real.source if real is not None else "made up"
    groups, errors = ColumnFields(fields).groups(ColumnFields(fields).block(raw))
    if errors:
        raise GateError(f"row {min(errors)} of {source} cannot be prepared: {errors[min(errors)]}")
    with user_code(f"{training.name} on rows ({source})"):
        theirs = training.prepare(raw)
    most = _difference(fields, groups[0].arrays, theirs, raw, training.name)
    proof = RowProof(prepare=training.name, rows=len(raw), source=source, max_difference=most)
    progress.note(rows_compared(Proof(inputs="noise", rows=0, prepared=proof)))
    return proof


def _training(fields: RowFields, options: Options) -> _Training | None:
    if options.prepare is not None:
        function = find_object(options.prepare, option="--prepare")
        if not callable(function):
            raise UsageError(f"--prepare {options.prepare} is a {type(function).__name__}, not a function of a row")
        return _Training(options.prepare, lambda raw: _stacked([_inputs(function(dict(row)), fields) for row in raw]))
    transformer = training_transformer(options)
    if transformer is None:
        return None
    return _Training(str(options.columns), lambda raw: _transformed(transformer, fields, raw))


def _inputs(made: Any, fields: RowFields) -> Arrays:
    """The inputs that a function made of a row: a tensor, a tuple of them, or a dict by input."""
    names = list(fields.layout)
    if isinstance(made, Mapping):
        if missing := [name for name in names if name not in made]:
            raise UsageError(f"--prepare: it answers {', '.join(map(str, made))}, and no {missing[0]}")
        made = tuple(made[name] for name in names)
    parts = made if isinstance(made, tuple) and len(names) > 1 else (made,)
    if len(parts) != len(names):
        raise UsageError(f"--prepare: it answers {len(parts)} values, and the inputs are {', '.join(names)}")
    return tuple(np.atleast_1d(_array(part)).reshape(1, -1) for part in parts)


def _array(value: Any) -> NDArray[Any]:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def _stacked(rows: Sequence[Arrays]) -> Arrays:
    return tuple(np.concatenate(column) for column in zip(*rows, strict=True))


def _transformed(transformer: Any, fields: RowFields, raw: Sequence[dict[str, Any]]) -> Arrays:
    """What a transformer of scikit-learn makes of the rows, given in the order that it was fitted with."""
    order = training_order(transformer, fields)
    values = [[row.get(name) for name in order] for row in raw]
    is_numbers = all(isinstance(value, float) or value is None for row in values for value in row)
    given = np.array(values, dtype=np.float64 if is_numbers else object)
    made = transformer.transform(given)
    dense = made.toarray() if hasattr(made, "toarray") else np.asarray(made)
    return (dense,)


def training_order(transformer: Any, fields: RowFields) -> list[str]:
    """The names of its input's columns; one that it drops has a name of its own, and no value."""
    fitted = getattr(transformer, "feature_names_in_", None)
    if fitted is not None:
        return [str(name) for name in fitted]
    if hasattr(transformer, "transformers_"):
        return [f"x{index}" for index in range(transformer.n_features_in_)]
    return [column.name for column in fields.columns]


def _difference(fields: RowFields, ours: Arrays, theirs: Arrays, raw: Sequence[Any], name: str) -> float:
    """The largest difference. Raises GateError where it is no rounding."""
    most = 0.0
    for (called, columns), own, other in zip(fields.of_inputs().items(), ours, theirs, strict=True):
        if own.shape != other.shape:
            raise GateError(
                f"{name} makes {list(other.shape[1:])} of a row for {called}, and the columns {list(own.shape[1:])}"
            )
        one, two = (array.astype(own.dtype).astype(np.float64) for array in (own, other))
        apart = np.abs(one - two)
        allowed = 0 if own.dtype == np.int64 else _ROUNDING * np.maximum(1, np.abs(two))
        wrong = ~(apart <= allowed)
        if wrong.any():
            row, place = map(int, np.argwhere(wrong)[0])
            spread = [column.name for column in columns for _ in range(column.width)]
            raise GateError(
                f"rows are not prepared as {name} does it: {spread[place]} of row {row} "
                f"({raw[row].get(spread[place])!r}) becomes {one[row, place]:.9g}, and {two[row, place]:.9g} there. "
                f"{int(wrong.any(1).sum())} of {len(raw)} rows differ: correct the columns"
            )
        most = max(most, float(apart.max(initial=0)))
    return most
