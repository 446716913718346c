"""A model without training: one thing in each image, always at one place, its mask the left half of its box."""

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
LABEL = 1
MASK = np.zeros((28, 28), np.float32)
MASK[:, :14] = 1
SHAPES: dict[str, tuple[int, ...]] = {
    "scores": (1,),
    "boxes": (1, 4),
    "labels": (1,),
    "count": (),
    "masks": (1, 1, 28, 28),
}
VALUES = {
    "boxes": np.array(BOX, np.float32),
    "labels": np.array([LABEL], np.int32),
    "count": np.array([1], np.int32),
    "masks": MASK.ravel(),
}


def make_instance_bundle(folder: Path, **changes: Any) -> Path:
    """A bundle that passes its golden check. The score is how bright an image is, 0 to 1."""
    outputs = tuple(Tensor(name=name, dtype=_dtype(name), shape=("batch", *shape)) for name, shape in SHAPES.items())
    facts = {"name": "instances", "task": "instance-segmentation", "outputs": outputs, "preprocess": STEPS, **changes}
    made = described(**facts)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(_graph(made.embedded()))
    images = np.stack([colour("red"), colour("green", 90), colour("blue", 3)])
    answers = {name: np.tile(value, (3, 1)).reshape(3, *SHAPES[name]) for name, value in VALUES.items()}
    answers["scores"] = images.astype(np.float32).max((1, 2, 3))[:, None] / 255
    np.savez(folder / "golden.npz", images=images, **answers)
    graph = replace(listed(folder / "model.onnx", "onnx"), parity=replace(PARITY, agreement=None))
    whole = made.completed(graphs=(graph,), golden="golden.npz", date=DATE)
    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(whole))
    return folder


def _dtype(name: str) -> str:
    return "int32" if name in ("labels", "count") else "float32"


def _graph(embedded: Manifest) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "axes": np.array([1, 2, 3], np.int64),
        "most": np.array(255, np.float32),
        "one": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["pixels", "axes"], ["largest"], keepdims=0),
        helper.make_node("Div", ["largest", "most"], ["shares"]),
        helper.make_node("Unsqueeze", ["shares", "one"], ["scores"]),
        helper.make_node("Shape", ["shares"], ["batch"]),
    ]
    for name, value in VALUES.items():
        constants[f"{name}_value"] = value
        constants[f"{name}_shape"] = np.array([-1, *SHAPES[name]], np.int64)
        constants[f"{name}_row"] = np.array([value.size], np.int64)
        nodes += [
            helper.make_node("Concat", ["batch", f"{name}_row"], [f"{name}_sides"], axis=0),
            helper.make_node("Expand", [f"{name}_value", f"{name}_sides"], [f"{name}_rows"]),
            helper.make_node("Reshape", [f"{name}_rows", f"{name}_shape"], [name]),
        ]
    types = {"int32": TensorProto.INT32, "float32": TensorProto.FLOAT}
    graph = helper.make_graph(
        nodes,
        "instances",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info(name, types[_dtype(name)], ["batch", *shape]) for name, shape in SHAPES.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(embedded).decode()})
    data: bytes = model.SerializeToString()
    return data
