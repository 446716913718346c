"""A model without training that gives each pixel its strongest colour: red, green or blue."""

from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from lit_infer import manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.manifest import Manifest, Resize, Step, Tensor
from tests.inference.tiny import DATE, SIDE, colour, described, listed
from tests.support.server.proven import PARITY

STEPS = (Step(resize=Resize(size=(SIDE, SIDE), interpolation="nearest")),)


def make_mask_bundle(folder: Path, **changes: Any) -> Path:
    """A bundle that passes its golden check."""
    outputs = (Tensor(name="probabilities", dtype="float32", shape=("batch", 3, SIDE, SIDE)),)
    facts = {"name": "masks", "task": "image-segmentation", "outputs": outputs, "preprocess": STEPS, **changes}
    made = described(**facts)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(_graph(made.embedded()))
    images = np.stack([colour("red"), colour("green", 90), colour("blue", 3)])
    exponents = np.exp(images.transpose(0, 3, 1, 2).astype(np.float32) / 64)
    np.savez(folder / "golden.npz", images=images, probabilities=exponents / exponents.sum(1, keepdims=True))
    graph = replace(listed(folder / "model.onnx", "onnx"), parity=PARITY)
    whole = made.completed(graphs=(graph,), golden="golden.npz", date=DATE)
    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(whole))
    return folder


def _graph(embedded: Manifest) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["channels", "scale"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "masks",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [numpy_helper.from_array(np.array(64, np.float32), "scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(embedded).decode()})
    data: bytes = model.SerializeToString()
    return data
