"""float16 from the proven float32 ONNX file: half the size, for GPUs; inputs and outputs stay what they are."""

import warnings
from pathlib import Path
from typing import Any

from lit_export import onnx_graph
from lit_infer.errors import GateError, require

_FLOAT, _FLOAT16 = 1, 10  # of TensorProto
_CRASHES = frozenset({"Gelu"})  # in float16 onnxruntime 1.31 segfaults on the CPU while it opens the graph


def fp16(fp32: Path, out: Path) -> None:
    """Write `out`, in float16 between the first and the last weighted layer.

    Normalisation and softmax stay float32, and so do operators that lack a float16 form. A value that float16 cannot
    hold becomes infinite: parity, on the finished file, sees that.
    """
    onnx = require("onnx", extra="export", purpose="Exporting to float16")
    float16 = require("onnxruntime.transformers.float16", extra="export", purpose="Exporting to float16")
    original, made = onnx.load(fp32), onnx.load(fp32)
    head, tail = onnx_graph.head_and_tail(original.graph)
    exact = head | tail | {node.name for node in original.graph.node if node.op_type in _CRASHES}
    del made.graph.value_info[:]  # else the converter takes listed float32 constants for float16 ones
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights too small or large for float16: the finished file is verified
        made = float16.convert_float_to_float16(made, keep_io_types=True, node_block_list=sorted(exact))
    _without_detours(made.graph, {output.name for output in original.graph.output})
    if not any(tensor.data_type == _FLOAT16 for tensor in made.graph.initializer):
        raise GateError("float16 changed nothing: the graph has no weights in convolutions or matrix products")
    onnx_graph.save(made, out, like=original)


def _without_detours(graph: Any, outputs: set[str]) -> None:
    """Take out float32 -> float16 -> float32: the converter leaves it between blocked nodes, and it rounds."""
    makers = {name: node for node in graph.node for name in node.output}
    origin = {}
    for node in graph.node:
        before = makers.get(node.input[0]) if node.op_type == "Cast" and _casts_to(node) == _FLOAT else None
        if before is not None and before.op_type == "Cast" and before.name.endswith("_cast_to_fp16_node"):
            origin[node.output[0]] = before.input[0]
    for node in graph.node:
        node.input[:] = [origin.get(name, name) for name in node.input]
    renamed = {before: after for after, before in origin.items() if after in outputs}
    for node in list(graph.node):
        if node.output[0] in origin:
            graph.node.remove(node)
            continue
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]


def _casts_to(node: Any) -> int:
    return int(next(attribute.i for attribute in node.attribute if attribute.name == "to"))
