from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto

from lit_infer.engines.onnx_files import referred
from tests.inference.tiny import graph_bytes


def refer(tensor: TensorProto, name: str) -> None:
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", name


def in_graph(graph: GraphProto, name: str) -> None:
    refer(graph.initializer.add(), name)


def attribute(graph: GraphProto) -> AttributeProto:
    return graph.node.add().attribute.add()


def deep(graph: GraphProto, name: str) -> None:
    for _ in range(200):
        graph = attribute(graph).g
    in_graph(graph, name)


PLACES: dict[str, Any] = {
    "initializer": lambda model: in_graph(model.graph, "x"),
    "sparse values": lambda model: refer(model.graph.sparse_initializer.add().values, "x"),
    "sparse indices": lambda model: refer(model.graph.sparse_initializer.add().indices, "x"),
    "attribute": lambda model: refer(attribute(model.graph).t, "x"),
    "attribute's list": lambda model: refer(attribute(model.graph).tensors.add(), "x"),
    "attribute's sparse": lambda model: refer(attribute(model.graph).sparse_tensor.values, "x"),
    "attribute's sparse list": lambda model: refer(attribute(model.graph).sparse_tensors.add().values, "x"),
    "branch": lambda model: in_graph(attribute(model.graph).g, "x"),
    "branches": lambda model: in_graph(attribute(model.graph).graphs.add(), "x"),
    "branch in branch": lambda model: deep(model.graph, "x"),
    "function": lambda model: refer(model.functions.add().node.add().attribute.add().t, "x"),
    "function's default": lambda model: refer(model.functions.add().attribute_proto.add().t, "x"),
    "training": lambda model: in_graph(model.training_info.add().algorithm, "x"),
    "training's start": lambda model: in_graph(model.training_info.add().initialization, "x"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_file_is_found_wherever_a_tensor_can_be(place: str) -> None:
    model = ModelProto()
    PLACES[place](model)

    assert referred(model.SerializeToString()) == {"x"}


def test_a_graph_without_files_refers_to_none() -> None:
    assert referred(graph_bytes(None)) == set()
    model = ModelProto(doc_string="location")
    model.metadata_props.add().key = "location"
    assert referred(model.SerializeToString()) == set()


def test_a_field_number_is_read_as_protobuf_reads_it() -> None:
    model = ModelProto()
    in_graph(model.graph, "x")
    data = model.SerializeToString()
    assert data[0] == 7 << 3 | 2

    beyond_32_bits = bytes([data[0] | 0x80, 0x80, 0x80, 0x80, 0x10]) + data[1:]

    assert referred(beyond_32_bits) == {"x"}


@given(cut=st.integers(1, 200), at=st.integers(0, 200), byte=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_damage_is_a_value_error_or_changes_what_is_there(cut: int, at: int, byte: int) -> None:
    model = ModelProto()
    for change in PLACES.values():
        change(model)
    data = bytearray(model.SerializeToString())
    data[at] = byte

    try:
        found = referred(bytes(data[:-cut]))
    except ValueError:
        return
    assert all(isinstance(name, str) for name in found)
