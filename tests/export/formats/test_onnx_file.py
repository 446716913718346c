"""lit_export.formats.onnx_file: the file must be what protobuf itself would read and write."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from lit_export.formats import onnx_file
from lit_export.formats.onnx_file import OnnxParts


def parts(count: int, size: int, opset: int = 20) -> OnnxParts:
    """`count` weights kept apart, and a small one that is not, each in a node that reads it."""
    weights = {f"w{index}": np.arange(size, dtype=np.float32) + index for index in range(count)}
    tensors = [onnx.TensorProto(name=name, data_type=1, dims=[size]) for name in weights]
    tensors.append(numpy_helper.from_array(np.float32([2.0]), "small"))
    nodes, last = [], "x"
    for index, name in enumerate([*weights, "small"]):
        nodes.append(onnx.helper.make_node("Add", [last, name], [f"y{index}"]))
        last = f"y{index}"
    sides = [onnx.helper.make_tensor_value_info(name, 1, ["batch", size]) for name in ("x", last)]
    graph = onnx.helper.make_graph(nodes, "g", sides[:1], sides[1:], tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)
    onnx.helper.set_model_props(model, {"manifest": "ä" * 300})
    return OnnxParts(model, weights)


def whole(given: OnnxParts) -> onnx.ModelProto:
    """The same model, made by protobuf."""
    model = onnx.ModelProto()
    model.CopyFrom(given.model)
    for entry in model.graph.initializer:
        if entry.name in given.weights:
            entry.raw_data = given.weights[entry.name].tobytes()
    return model


@settings(max_examples=30)
@given(count=st.integers(0, 4), size=st.sampled_from([1, 31, 32, 127, 4096, 20_000]))
def test_a_file_holds_what_protobuf_would_write(
    tmp_path_factory: pytest.TempPathFactory, count: int, size: int
) -> None:
    made, path = parts(count, size), tmp_path_factory.mktemp("onnx") / "model.onnx"

    onnx_file.write(made, path)

    assert onnx.load(path) == whole(made)
    assert abs(path.stat().st_size - made.bytes) < 100


def test_the_same_parts_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        onnx_file.write(parts(2, 100), tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_head_of_a_file_is_read_without_its_graph(tmp_path: Path) -> None:
    onnx_file.write(parts(2, 5000, opset=19), tmp_path / "model.onnx")

    found = onnx_file.head(tmp_path / "model.onnx")

    assert (found.opset_import[0].version, found.ir_version) == (19, 10)
    assert found.metadata_props[0].value == "ä" * 300
    assert not found.HasField("graph")


def test_what_is_no_protobuf_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x0b\x0b\x0b")

    with pytest.raises(ValueError, match="not an ONNX file"):
        onnx_file.head(tmp_path / "model.onnx")


def test_a_graph_that_is_not_valid_is_noticed_without_its_weights() -> None:
    made = parts(2, 100)
    onnx_file.check(made)

    made.model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(onnx.checker.ValidationError, match="NoSuchOperator"):
        onnx_file.check(made)


def test_the_weights_of_a_module_are_not_copied() -> None:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(300, 300)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x)

    module = Module().eval()
    program = torch.onnx.export(module, (torch.zeros(2, 300),), dynamo=True, verbose=False)
    assert program is not None

    made = onnx_file.parts_of(program.model)

    (weight,) = made.weights.values()
    assert np.shares_memory(weight, module.layer.weight.detach().numpy())
    assert made.model.ByteSize() < 10_000
