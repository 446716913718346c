"""A model without training: one box, always at the same place, of the image's strongest colour."""

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
BOX = (1.0, 2.0, 7.0, 6.0)


def make_box_bundle(folder: Path, **changes: Any) -> Path:
    """A bundle that passes its golden check. The score of a colour is its mean strength, 0 to 1."""
    outputs = (
        Tensor(name="scores", dtype="float32", shape=("batch", 1, 3)),
        Tensor(name="boxes", dtype="float32", shape=("batch", 1, 4)),
    )
    facts = {"name": "boxes", "task": "object-detection", "outputs": outputs, "preprocess": STEPS, **changes}
    made = described(**facts)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(_graph(made.embedded()))
    images = np.stack([colour("red"), colour("green", 90), colour("blue", 3)])
    scores = images.astype(np.float32).mean((1, 2))[:, None] / 255
    boxes = np.tile(np.array(BOX, np.float32), (3, 1, 1))
    np.savez(folder / "golden.npz", images=images, scores=scores, boxes=boxes)
    graph = replace(listed(folder / "model.onnx", "onnx"), parity=replace(PARITY, agreement=None))
    whole = made.completed(graphs=(graph,), golden="golden.npz", date=DATE)
    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(whole))
    return folder


def _graph(embedded: Manifest) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "axes": np.array([1, 2], np.int64),
        "most": np.array(255, np.float32),
        "nothing": np.zeros((3, 4), np.float32),
        "box": np.array(BOX, np.float32),
        "row_of_scores": np.array([-1, 1, 3], np.int64),
        "row_of_boxes": np.array([-1, 1, 4], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["means"], keepdims=0),
        helper.make_node("Div", ["means", "most"], ["shares"]),
        helper.make_node("Reshape", ["shares", "row_of_scores"], ["scores"]),
        helper.make_node("MatMul", ["shares", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "box"], ["places"]),
        helper.make_node("Reshape", ["places", "row_of_boxes"], ["boxes"]),
    ]
    graph = helper.make_graph(
        nodes,
        "boxes",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 1, 3]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["batch", 1, 4]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(embedded).decode()})
    data: bytes = model.SerializeToString()
    return data
