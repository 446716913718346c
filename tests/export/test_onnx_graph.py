"""lit_export.onnx_graph: a converted graph is put in order, and refused where it is not the one that was asked for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lit_export import onnx_graph
from lit_infer.errors import GateError

SCALE = helper.make_node("Mul", ["values", "weights"], ["scaled"], "scale")
LAYER = helper.make_node("MatMul", ["scaled", "weights"], ["logits"], "layer")
END = helper.make_node("Softmax", ["logits"], ["answer"], "end")
UNUSED = helper.make_node("Relu", ["scaled"], ["nothing"], "unused")


def model(nodes: Sequence[onnx.NodeProto], *, output: str = "answer") -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", 4])],
        [
            numpy_helper.from_array(np.eye(4, dtype=np.float32)[:1], "one"),
            numpy_helper.from_array(np.eye(4, dtype=np.float32), "weights"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


SCALE.input[1] = "one"
FLOAT32 = model([SCALE, LAYER, END])


def test_head_and_tail_are_what_no_weighted_layer_touches() -> None:
    assert onnx_graph.head_and_tail(FLOAT32.graph) == ({"scale"}, {"end"})


def test_what_a_branch_reads_counts() -> None:
    def branch(name: str) -> onnx.GraphProto:
        nodes = [helper.make_node("Relu", ["logits"], [name], f"node_{name}")]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])

    chosen = helper.make_node("If", ["yes"], ["answer"], "if", then_branch=branch("then"), else_branch=branch("else"))
    made = model([chosen, LAYER, SCALE])
    made.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    onnx_graph._sort(made.graph)
    assert [node.name for node in made.graph.node] == ["scale", "layer", "if"]
    onnx_graph._prune(made.graph)
    assert [node.name for node in made.graph.node] == ["scale", "layer", "if"]
    assert onnx_graph.head_and_tail(made.graph) == ({"scale"}, {"if"})


def test_a_saved_graph_is_in_order_without_what_nothing_uses(tmp_path: Path) -> None:
    made = model([END, UNUSED, LAYER, SCALE])
    made.graph.initializer.append(numpy_helper.from_array(np.zeros(3, dtype=np.float32), "left over"))
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx_graph.save(made, tmp_path / "made.onnx", like=FLOAT32)
    saved = onnx.load(tmp_path / "made.onnx")
    assert saved.graph == FLOAT32.graph
    assert (saved.opset_import, saved.ir_version) == (FLOAT32.opset_import, FLOAT32.ir_version)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (model([SCALE, LAYER], output="logits"), "does not have the outputs of"),
        (model([LAYER, END]), "reads a value that nothing produces: layer"),
        (model([SCALE, LAYER, helper.make_node("Softmax", ["logits"], ["answer"], "end", axis=7)]), "not valid ONNX"),
    ],
)
def test_a_wrong_graph_is_refused_and_leaves_no_file(tmp_path: Path, made: onnx.ModelProto, said: str) -> None:
    with pytest.raises(GateError, match=said):
        onnx_graph.save(made, tmp_path / "made.onnx", like=FLOAT32)
    assert list(tmp_path.iterdir()) == []
