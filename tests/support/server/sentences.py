"""A model of ids, as text models are: a table of five words, and of positions for at most eight."""

from pathlib import Path

import numpy as np

from lit_infer import manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.manifest import Tensor
from tests.inference.tiny import described

WORDS, LONGEST, WIDTH = 5, 8, 4


def make_sentences(path: Path) -> Path:
    """A graph file: ids, int64 [batch, length], to vectors, float32 [batch, length, 4]."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "words": np.arange(WORDS * WIDTH, dtype=np.float32).reshape(WORDS, WIDTH),
        "places": np.ones((LONGEST, WIDTH), np.float32),
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["words", "ids"], ["of_words"]),
        helper.make_node("Shape", ["ids"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["length"]),
        helper.make_node("Range", ["zero", "length", "one"], ["positions"]),
        helper.make_node("Gather", ["places", "positions"], ["of_places"]),
        helper.make_node("Add", ["of_words", "of_places"], ["vectors"]),
    ]
    inputs = (Tensor(name="ids", dtype="int64", shape=("batch", "length")),)
    outputs = (Tensor(name="vectors", dtype="float32", shape=("batch", "length", WIDTH)),)
    graph = helper.make_graph(
        nodes,
        "sentences",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", "length", WIDTH])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    facts = described(name="sentences", task="tensor", inputs=inputs, outputs=outputs, labels=None, preprocess=())
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(facts.embedded()).decode()})
    path.write_bytes(model.SerializeToString())
    return path
