"""Blocks of rows with their answers, as a run over files of rows passes them on."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lit_infer.column_values import ColumnValues, DictionaryColumn, RaggedColumn
from lit_infer.folder.rows.answered import AnsweredBlock
from lit_infer.folder.rows.found import RowOrigin
from lit_infer.folder.table import Table
from lit_infer.manifest import Manifest, Tensor
from lit_infer.predictions import Prediction, Timings
from lit_infer.rows.facts import RowFields, TextField
from lit_infer.tasks import Ask, Row
from tests.support.tables import table_manifest
from tests.support.tensors import tensor_manifest

COUNT = 7
NUMBERS = np.array([0.1, 1e-7, 1e20, -0.0, np.nan, np.inf, 3], dtype=np.float32)
SCORES = np.random.default_rng(0).dirichlet(np.ones(3), COUNT).astype(np.float32)
SCORES[2] = 0.25  # equal scores: the lower index first
KEPT: dict[str, Any] = {
    "id": ['a,"b"', "\u00fc\n", "", "x", "\r", "%s", "N"],
    "n": np.arange(COUNT),
    "mixed": [1, None, 2.5, "t", True, {"a": float("nan")}, [1]],
    "few": DictionaryColumn(np.array([0, 1, 0, 2, 1, 1, 0]), ["p", None, "q,"]),
}
THREE = (Tensor(name="probabilities", dtype="float32", shape=("batch", 3)),)
CASES: dict[str, tuple[Manifest, tuple[Any, ...], Ask]] = {
    "classes": (table_manifest(outputs=THREE, labels=("one", "two, too", 'a "third"')), (SCORES,), Ask(top_k=2)),
    "classes, below a threshold": (table_manifest(outputs=THREE, labels=None), (SCORES,), Ask(top_k=3, threshold=0.5)),
    "values": (
        table_manifest(task="tabular-regression", labels=("size", "age")),
        (np.stack([NUMBERS, NUMBERS[::-1]], axis=1),),
        Ask(),
    ),
    "tensors": (tensor_manifest(), (np.tile(NUMBERS[:, None], 3), np.arange(COUNT)), Ask()),
    "spans": (
        table_manifest(
            task="token-classification",
            labels=("O", "B-one, two", 'I-a "third"'),
            fields=RowFields(text=TextField(tokenizer_sha256="0" * 64, max_length=8, inputs={"rows": "ids"})),
            outputs=(Tensor(name="probabilities", dtype="float32", shape=("batch", "length", 3)),),
        ),
        (np.stack([SCORES, SCORES[::-1]], axis=1),),
        Ask(),
    ),
    "booleans": (
        tensor_manifest(outputs=(Tensor(name="ok", dtype="bool", shape=("batch", 2)),)),
        (np.eye(COUNT, 2, dtype=bool),),
        Ask(),
    ),
}


ERRORS: list[dict[int, tuple[str, str]]] = [{}, {1: ("no, it is not", "bad_value"), 6: ("no", "missing")}]


def answered(
    arrays: Mapping[str, Any],
    *,
    errors: Mapping[int, tuple[str, str]] | None = None,
    kept: Mapping[str, ColumnValues] | None = None,
) -> AnsweredBlock:
    """Rows from 0 of a.npz, with what a task keeps of their answers."""
    first = next(iter(arrays.values()))
    count = len(first.lengths if isinstance(first, RaggedColumn) else first)
    origin = RowOrigin("a.npz", 0, count, b"12345678")
    return AnsweredBlock([origin], count, arrays, errors or {}, kept or {}, np.arange(count) / 8, 0.25, 0.5)


def made(name: str, *, errors: dict[int, tuple[str, str]]) -> tuple[AnsweredBlock, Table, Ask, list[Row]]:
    """A block with its table, and its rows as single predictions give them."""
    manifest, outputs, ask = CASES[name]
    table = Table(manifest.spec, manifest.reading, "model", timings=True, kept=tuple(KEPT))
    block = answered(table.task.kept(outputs, ask, table.reading), errors=errors, kept=KEPT)
    predictions = [
        Prediction("a.npz", one, timings=Timings(0.25, 0.5, 0.0, row / 8))
        for row, one in enumerate(table.task.read(outputs, [ask] * COUNT, table.reading))
    ]
    for row, (said, code) in errors.items():
        predictions[row] = Prediction("a.npz", error=said, code=code)
    rows = []
    for row, one in enumerate(predictions):
        kept = [list(values)[row] for values in KEPT.values()]
        rows.append(table.row(one, number=row, kept=[k.item() if isinstance(k, np.generic) else k for k in kept]))
    return block, table, ask, rows
