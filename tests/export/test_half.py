"""lit_export.half: float16 inside, float32 and uint8 outside."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lit_export.half import fp16
from lit_infer import load
from lit_infer.errors import GateError
from tests.export import digits_net


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits_net.write(tmp_path_factory.mktemp("fp32") / "model.onnx")


def test_float16_answers_as_float32_does(fp32: Path, tmp_path: Path) -> None:
    fp16(fp32, tmp_path / "half.onnx")
    images, _ = digits_net.digits()
    before, after = (
        load(path, device="cpu").run({"images": images})["probabilities"] for path in (fp32, tmp_path / "half.onnx")
    )
    assert after.dtype == np.float32
    assert np.abs(before - after).max() < 5e-3
    assert (before.argmax(-1) == after.argmax(-1)).mean() > 0.995


def test_all_but_the_numbers_is_as_in_the_float_file(fp32: Path, tmp_path: Path) -> None:
    fp16(fp32, tmp_path / "half.onnx")
    before, after = onnx.load(fp32), onnx.load(tmp_path / "half.onnx")
    for field in ("metadata_props", "ir_version", "opset_import", "producer_name"):
        assert getattr(after, field) == getattr(before, field)
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    assert [path.name for path in tmp_path.iterdir()] == ["half.onnx"]
    assert (tmp_path / "half.onnx").stat().st_size < 0.6 * fp32.stat().st_size


def test_normalisation_and_softmax_are_float32_without_detours(fp32: Path, tmp_path: Path) -> None:
    fp16(fp32, tmp_path / "half.onnx")
    graph = onnx.load(tmp_path / "half.onnx").graph
    kinds = {entry.name: entry.data_type for entry in graph.initializer}
    assert {name for name, kind in kinds.items() if kind == TensorProto.FLOAT} == {"scale", "mean", "std"}
    assert [node.op_type for node in graph.node].count("Cast") == 3  # uint8 to float, into float16 and out of it
    assert graph.node[-1].op_type == "Softmax"


def test_the_same_file_gives_the_same_bytes(fp32: Path, tmp_path: Path) -> None:
    fp16(fp32, tmp_path / "a.onnx")
    fp16(fp32, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_transformers_activation_stays_float32(tmp_path: Path) -> None:
    # In float16 it brings the process down; this test would end with it.
    graph = _graph(
        helper.make_node("MatMul", ["values", "first"], ["a"], "node_a"),
        helper.make_node("Gelu", ["a"], ["b"], "node_gelu"),
        helper.make_node("MatMul", ["b", "second"], ["answer"], "node_b"),
    )
    onnx.save(graph, tmp_path / "fp32.onnx")
    fp16(tmp_path / "fp32.onnx", tmp_path / "half.onnx")
    import onnxruntime

    ones = np.ones((3, 8), dtype=np.float32)
    before, after = (
        onnxruntime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"]).run(None, {"values": ones})[0]
        for name in ("fp32.onnx", "half.onnx")
    )
    assert np.abs(before - after).max() < 0.05


def test_a_graph_without_weights_is_refused(tmp_path: Path) -> None:
    onnx.save(_graph(helper.make_node("Relu", ["values"], ["answer"], "node_relu")), tmp_path / "fp32.onnx")
    with pytest.raises(GateError, match="float16 changed nothing"):
        fp16(tmp_path / "fp32.onnx", tmp_path / "half.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["fp32.onnx"]


def _graph(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    generator = np.random.default_rng(0)
    used = {name for node in nodes for name in node.input}
    weights = [
        numpy_helper.from_array(generator.normal(size=(8, 8)).astype(np.float32), name)
        for name in ("first", "second")
        if name in used
    ]
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", 8])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
