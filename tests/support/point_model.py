"""A model without training: three points, always at the same places, each as sure as its colour is strong."""

from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from lit_infer import manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.manifest import Manifest, Resize, Step, Tensor
from tests.inference.tiny import DATE, SIDE, colour, described, listed
from tests.support.server.proven import PARITY

STEPS = (Step(resize=Resize(size=(SIDE, SIDE))),)
PLACES = ((1.0, 2.0), (7.0, 3.0), (4.0, 6.0))
FACTS = {"numbers": ["x", "y", "score"], "positions": "pixels", "scores": "as_given", "skeleton": [[0, 1], [1, 2]]}


def make_point_bundle(folder: Path, **changes: Any) -> Path:
    """A bundle that passes its golden check. The score of a point is the mean strength of its colour, 0 to 1."""
    outputs = (Tensor(name="points", dtype="float32", shape=("batch", 3, 3)),)
    facts = {"name": "points", "task": "keypoint-detection", "outputs": outputs, "preprocess": STEPS, "answers": FACTS}
    made = described(**{**facts, **changes})
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(_graph(made.embedded()))
    images = np.stack([colour("red"), colour("green", 90), colour("blue", 3)])
    scores = images.astype(np.float32).mean((1, 2)) / 255
    places = np.tile(np.array(PLACES, np.float32), (3, 1, 1))
    np.savez(folder / "golden.npz", images=images, points=np.concatenate([places, scores[..., None]], axis=2))
    graph = replace(listed(folder / "model.onnx", "onnx"), parity=replace(PARITY, agreement=None))
    whole = made.completed(graphs=(graph,), golden="golden.npz", date=DATE)
    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(whole))
    return folder


def _graph(embedded: Manifest) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "axes": np.array([1, 2], np.int64),
        "last": np.array([2], np.int64),
        "most": np.array(255, np.float32),
        "places": np.array(PLACES, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["means"], keepdims=0),
        helper.make_node("Div", ["means", "most"], ["shares"]),
        helper.make_node("Unsqueeze", ["shares", "last"], ["scores"]),
        helper.make_node("Sub", ["scores", "scores"], ["zeros"]),
        helper.make_node("Add", ["zeros", "places"], ["placed"]),
        helper.make_node("Concat", ["placed", "scores"], ["points"], axis=2),
    ]
    graph = helper.make_graph(
        nodes,
        "points",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("points", TensorProto.FLOAT, ["batch", 3, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(embedded).decode()})
    data: bytes = model.SerializeToString()
    return data
