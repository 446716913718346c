"""A bundle that takes rows of bare arrays: x and a row's number in, `y = x * 2 + number` and their sum out."""

from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from lit_infer import files, manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.manifest import Manifest, Tensor
from tests.inference.tiny import DATE, described, listed
from tests.support.golden import PARITY

WIDTH = 3


def tensor_manifest(**changes: Any) -> Manifest:
    """The manifest of the model, without graphs."""
    facts: dict[str, Any] = {
        "name": "doubler",
        "task": "tensor",
        "labels": None,
        "preprocess": (),
        "inputs": (
            Tensor(name="x", dtype="float32", shape=("batch", WIDTH)),
            Tensor(name="number", dtype="int64", shape=("batch",)),
        ),
        "outputs": (
            Tensor(name="y", dtype="float32", shape=("batch", WIDTH)),
            Tensor(name="total", dtype="float32", shape=("batch",)),
        ),
    }
    return described(**{**facts, **changes})


def tensor_bundle(folder: Path, *, side: int | str = WIDTH, **changes: Any) -> Path:
    """A bundle folder as export leaves it. `side`: of x and y, a name for any length."""
    from onnx import TensorProto, helper, numpy_helper

    sided = {
        "inputs": (
            Tensor(name="x", dtype="float32", shape=("batch", side)),
            Tensor(name="number", dtype="int64", shape=("batch",)),
        ),
        "outputs": (
            Tensor(name="y", dtype="float32", shape=("batch", side)),
            Tensor(name="total", dtype="float32", shape=("batch",)),
        ),
    }
    facts = tensor_manifest(**{**sided, **changes})
    axes = numpy_helper.from_array(np.array([1], dtype=np.int64), "axes")
    table = numpy_helper.from_array(np.arange(1000, dtype=np.float32), "table")  # a number beyond it is refused
    nodes = [
        helper.make_node("Gather", ["table", "number"], ["floats"]),
        helper.make_node("Unsqueeze", ["floats", "axes"], ["column"]),
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Add", ["twice", "column"], ["y"]),
        helper.make_node("ReduceSum", ["y", "axes"], ["total"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "doubler",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", side]),
            helper.make_tensor_value_info("number", TensorProto.INT64, ["batch"]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", side]),
            helper.make_tensor_value_info("total", TensorProto.FLOAT, ["batch"]),
        ],
        [axes, table],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(facts.embedded()).decode()})
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    golden = tensor_rows(4)
    np.savez(folder / "golden.npz", **golden, **answers(golden))
    graphs = (replace(listed(folder / "model.onnx", "onnx"), parity=PARITY),)
    digest = files.sha256(folder / "golden.npz")
    facts = facts.completed(graphs=graphs, golden="golden.npz", golden_sha256=digest, date=DATE)
    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(facts))
    return folder


def tensor_rows(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs for so many rows."""
    generator = np.random.default_rng(seed)
    return {
        "x": generator.normal(size=(count, WIDTH)).astype(np.float32),
        "number": generator.integers(0, 1000, count),
    }


def answers(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the model answers for them, by numpy's arithmetic."""
    y = rows["x"] + rows["x"] + rows["number"].astype(np.float32)[:, None]
    return {"y": y, "total": y.sum(1)}
