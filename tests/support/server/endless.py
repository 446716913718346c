"""A real graph that runs for hours for one image: a white pixel makes its loop long. Others get those of `tiny`."""

from pathlib import Path

import numpy as np
import onnx
from msgspec.structs import replace
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from lit_infer import manifest
from tests.inference.tiny import SIDE, encoded, graph_bytes, listed, rewrite
from tests.support.server.proven import PARITY, make_proven


def make_endless(folder: Path, *, times: int = 10**12) -> Path:
    """The bundle, with golden answers."""
    made = make_proven(folder)
    facts = manifest.read(made)
    model = onnx.load_from_string(graph_bytes(facts.embedded()))
    _add_loop(model.graph, times)
    (made / "model.onnx").write_bytes(model.SerializeToString())
    graph = replace(listed(made / "model.onnx", "onnx"), parity=PARITY)
    return rewrite(made, graphs=(graph,))


def white() -> bytes:
    """The image for which it does not end."""
    return encoded(Image.fromarray(np.full((SIDE, SIDE, 3), 255, np.uint8)), "PNG")


def _add_loop(graph: onnx.GraphProto, times: int) -> None:
    """logits -> logits + 0 * (a number that a loop has counted)."""
    one = [helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in ("before", "after")]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Mul", ["before", "half"], ["after"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            one[0],
        ],
        [helper.make_tensor_value_info("goes", TensorProto.BOOL, []), one[1]],
    )
    nodes = [
        helper.make_node("ReduceMax", ["pixels"], ["brightest"], keepdims=0),
        helper.make_node("Greater", ["brightest", "limit"], ["is_white"]),
        helper.make_node("Cast", ["is_white"], ["flag"], to=TensorProto.INT64),
        helper.make_node("Mul", ["flag", "hours"], ["times"]),
        helper.make_node("Loop", ["times", "true", "nothing"], ["counted"], body=body),
        helper.make_node("Add", ["raw", "counted"], ["logits"]),
    ]
    numbers = {
        "limit": np.array(254, np.float32),
        "hours": np.array(times, np.int64),
        "true": np.array(True),
        "nothing": np.array(0, np.float32),
        "half": np.array(0.5, np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in numbers.items())
    softmax = graph.node.pop()
    graph.node[-1].output[0] = "raw"
    graph.node.extend([*nodes, softmax])
