"""A bundle that takes rows of a table: age, job and smoker in, the larger of two sums out."""

from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from lit_infer import files, manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.manifest import Manifest, Tensor
from lit_infer.rows.facts import BooleanColumn, CategoryColumn, NumberColumn, RowFields, TableColumn
from tests.inference.tiny import DATE, described, listed
from tests.support.golden import PARITY

FIELDS = RowFields(
    columns=(
        TableColumn(name="age", number=NumberColumn(mean=40, scale=10, missing=40)),
        TableColumn(name="job", category=CategoryColumn(vocabulary=("cook", "smith"), one_hot=True, unknown=-1)),
        TableColumn(name="smoker", boolean=BooleanColumn()),
    )
)
ROWS: list[dict[str, Any]] = [
    {"age": 50, "job": "cook", "smoker": False},
    {"age": 20.5, "job": "smith", "smoker": True},
    {"age": None, "job": "tailor", "smoker": True},
    {"age": 30, "job": "cook", "smoker": None},
]
LABELS = ["old", "young", "young", None]
CODES = [None, None, None, "missing"]


def table_manifest(**changes: Any) -> Manifest:
    """The manifest of the model, without graphs."""
    facts: dict[str, Any] = {
        "name": "ages",
        "task": "tabular-classification",
        "labels": ("young", "old"),
        "preprocess": (),
        "fields": FIELDS,
        "inputs": (Tensor(name="rows", dtype="float32", shape=("batch", 4)),),
        "outputs": (Tensor(name="probabilities", dtype="float32", shape=("batch", 2)),),
    }
    return described(**{**facts, **changes})


def table_bundle(folder: Path, **changes: Any) -> Path:
    """A bundle folder as export leaves it."""
    from onnx import TensorProto, helper, numpy_helper

    facts = table_manifest(**changes)
    weights = np.array([[-1, 1], [-1, 1], [1, -1], [0.5, -0.5]], dtype=np.float32)
    nodes = [
        helper.make_node("MatMul", ["rows", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "ages",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(facts.embedded()).decode()})
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    rows = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    exponents = np.exp(rows @ weights)
    golden = {"rows": rows, "probabilities": exponents / exponents.sum(-1, keepdims=True)}
    np.savez(folder / "golden.npz", **golden)  # type: ignore[arg-type]
    graphs = (replace(listed(folder / "model.onnx", "onnx"), parity=PARITY),)
    digest = files.sha256(folder / "golden.npz")
    facts = facts.completed(graphs=graphs, golden="golden.npz", golden_sha256=digest, date=DATE)
    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(facts))
    return folder
