"""Models without training that answer something for each pixel: its negative, or how red it is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from lit_infer import manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.manifest import Manifest, Resize, Step, Tensor
from tests.inference.tiny import DATE, SIDE, colour, described, listed
from tests.support.server.proven import PARITY

STEPS = (Step(resize=Resize(size=(SIDE, SIDE))),)


def make_picture_bundle(folder: Path, **changes: Any) -> Path:
    """A model whose picture is the negative of its image."""

    def expected(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {"image": 1 - images.transpose(0, 3, 1, 2).astype(np.float32) / 255}

    outputs = (Tensor(name="image", dtype="float32", shape=("batch", 3, SIDE, SIDE)),)
    facts = {"name": "negatives", "task": "image-to-image", "outputs": outputs, "preprocess": STEPS, "labels": None}
    facts["answers"] = {"range": "0..1", "size": "original"}
    nodes = (("Sub", ["one", "shares"], ["image"], {}),)
    return _make(folder, {**facts, **changes}, nodes, expected)


def make_anomaly_bundle(folder: Path, **changes: Any) -> Path:
    """A model whose map is the red of its image, and whose score is the most of it."""

    def expected(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        red = images[:, None, :, :, 0].astype(np.float32) / 255
        return {"score": red.max((1, 2, 3)), "map": red}

    outputs = (
        Tensor(name="score", dtype="float32", shape=("batch",)),
        Tensor(name="map", dtype="float32", shape=("batch", 1, SIDE, SIDE)),
    )
    facts = {"name": "reddish", "task": "anomaly-detection", "outputs": outputs, "preprocess": STEPS, "labels": None}
    facts["answers"] = {"threshold": 0.4}
    nodes = (
        ("Gather", ["shares", "first"], ["map"], {"axis": 1}),
        ("ReduceMax", ["map", "axes"], ["score"], {"keepdims": 0}),
    )
    return _make(folder, {**facts, **changes}, nodes, expected)


def _make(
    folder: Path,
    facts: dict[str, Any],
    nodes: Sequence[tuple[str, list[str], list[str], dict[str, Any]]],
    expected: Callable[[NDArray[Any]], dict[str, NDArray[Any]]],
) -> Path:
    """A bundle that passes its golden check. Its nodes begin with `shares`: [batch, 3, 8, 8], 0 to 1."""
    made = described(**facts)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(_graph(made.embedded(), nodes))
    images = np.stack([colour("red"), colour("green", 90), colour("blue", 3)])
    np.savez(folder / "golden.npz", images=images, **expected(images))  # type: ignore[arg-type]
    graph = replace(listed(folder / "model.onnx", "onnx"), parity=PARITY)
    whole = made.completed(graphs=(graph,), golden="golden.npz", date=DATE)
    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(whole))
    return folder


def _graph(embedded: Manifest, own: Sequence[tuple[str, list[str], list[str], dict[str, Any]]]) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    constants = {"one": np.array(1, np.float32), "most": np.array(255, np.float32), "first": np.array([0], np.int64)}
    constants |= {"axes": np.array([1, 2, 3], np.int64)}
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["channels", "most"], ["shares"]),
        *(helper.make_node(name, inputs, outputs, **options) for name, inputs, outputs, options in own),
    ]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info(one.name, TensorProto.FLOAT, list(one.shape)) for one in embedded.outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(embedded).decode()})
    data: bytes = model.SerializeToString()
    return data
