"""Prove the tokens: the runtime's way from a text to the module's inputs, against training's own code (`--prepare`)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from lit_export.front.find_class import find_object
from lit_export.options import Options
from lit_export.proof import text_rows
from lit_export.tasks import Target
from lit_export.tasks.texts import text_fields
from lit_export.user_code import user_code
from lit_infer import progress
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import Proof, RowProof
from lit_infer.proof_words import rows_compared
from lit_infer.rows.text import TextFields


def proven(target: Target, options: Options) -> RowProof | None:
    """What was compared; None, with a line, where nothing is named. Raises GateError where the tokens differ."""
    if options.prepare is None:
        progress.note(
            "texts are tokenized as stated, and not compared with training's code: --prepare PKG.MOD:FN does that"
        )
        return None
    function = find_object(options.prepare, option="--prepare")
    if not callable(function):
        raise UsageError(f"--prepare {options.prepare} is a {type(function).__name__}, not a function of a row")
    fields = text_fields(target.module, target.facts, options)
    rows = text_rows.texts(fields, options.table_rows)
    with user_code(f"{options.prepare} on texts ({rows.source})"):
        for row in rows.raw:
            _compare(fields, row, function(dict(row)), options.prepare)
    proof = RowProof(prepare=options.prepare, rows=len(rows.raw), source=rows.source, max_difference=0.0)
    progress.note(rows_compared(Proof(inputs="noise", rows=0, prepared=proof)))
    return proof


def _compare(fields: TextFields, row: dict[str, Any], made: Any, name: str) -> None:
    """Raise GateError unless a text alone, in a batch of one, has the same ids in every input."""
    (group,), _ = fields.groups(fields.block([row]))
    names = list(fields.facts.inputs or {})
    parts = _parts(made, names, name)
    for called, ours, theirs in zip(names, group.arrays, parts, strict=True):
        if not np.array_equal(ours[0], theirs):
            text = " | ".join(str(value) for value in row.values())
            raise GateError(
                f"texts are not tokenized as {name} does it: {called} of {text[:60]!r} is {_shown(ours[0])}, "
                f"and {_shown(theirs)} there. Correct fields.text (max_length, truncation, padding, …)"
            )


def _parts(made: Any, names: list[str], name: str) -> list[Any]:
    """What a function made of a row, by input: a mapping, as Hugging Face's tokenizers answer, or a tuple."""
    if isinstance(made, Mapping) or hasattr(made, "keys"):
        if missing := [one for one in names if one not in made]:
            raise UsageError(f"--prepare {name}: it answers {', '.join(map(str, made.keys()))}, and no {missing[0]}")
        found = [made[one] for one in names]
    else:
        found = list(made) if isinstance(made, tuple) and len(names) > 1 else [made]
    if len(found) != len(names):
        raise UsageError(f"--prepare {name}: it answers {len(found)} values, and the inputs are {', '.join(names)}")
    return [np.asarray(one.tolist() if isinstance(one, torch.Tensor) else one).ravel() for one in found]


def _shown(ids: Any) -> str:
    listed = [int(one) for one in ids]
    return f"{len(listed)} ids, {listed[:8]}{', …' if len(listed) > 8 else ''}"
