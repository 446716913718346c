"""A float32 ONNX graph and its int8 forms in QDQ: what is quantized, what it is called, how it is written."""

import difflib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from lit_export import onnx_graph
from lit_infer.errors import GateError, UsageError

OPERATORS = (
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Mul", "Relu", "Clip", "LeakyRelu", "Sigmoid"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Split", "Slice", "Pad", "Resize"),
    *("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"),
)
"""What is quantized: what onnxruntime has int8 kernels for, and what only moves values. Normalisations, attention's
softmax and the other activations stay float."""
_RANKED = onnx_graph.WEIGHTED | {"Add", "Mul"}


@dataclass(frozen=True)
class FloatGraph:
    """The float32 graph as it is quantized: batch norms folded, shapes inferred; and the file that it is made from."""

    path: Path
    original: Any
    model: Any

    @classmethod
    def read(cls, fp32: Path, staged: Path) -> "FloatGraph":
        """Simplify a float32 file into the staging folder."""
        import onnx
        from onnxruntime.quantization.shape_inference import quant_pre_process

        original = onnx.load(fp32)
        opset = next(entry.version for entry in original.opset_import if entry.domain in ("", "ai.onnx"))
        if opset < 13:
            raise GateError(f"int8 by channel needs opset 13 or newer; {fp32.name} has opset {opset}")
        path = staged / "simplified.onnx"
        # Symbolic shapes are for transformers of many inputs, and need sympy; onnx infers what is needed here.
        quant_pre_process(fp32, path, skip_symbolic_shape=True)
        found = cls(path, original, onnx.load(path))
        if not found.layers:
            raise GateError("int8 has nothing to quantize: no convolution or matrix product with weights")
        return found

    @cached_property
    def exact(self) -> set[str]:
        """The nodes before the first and after the last weighted layer."""
        head, tail = onnx_graph.head_and_tail(self.model.graph)
        return head | tail

    @cached_property
    def layers(self) -> list[str]:
        """The nodes whose quantization costs accuracy, in the graph's order."""
        nodes = self.model.graph.node
        return [node.name for node in nodes if node.op_type in _RANKED and node.name not in self.exact]

    @cached_property
    def _modules(self) -> dict[str, str]:
        """Of nodes with weights, the PyTorch module that these belong to, where the file still tells."""
        weights = {tensor.name for tensor in self.model.graph.initializer if tensor.name.endswith(".weight")}
        found = {}
        for node in self.model.graph.node:
            for name in weights.intersection(node.input):
                found[node.name] = name.removesuffix(".weight").removeprefix("module.")
        return found

    def title(self, node: str) -> str:
        """What a node is called in messages and in the manifest: its PyTorch module, else its own name."""
        return self._modules.get(node, node)

    def named(self, patterns: Sequence[str]) -> list[str]:
        """The nodes that patterns name. Raises UsageError for one that names none."""
        found: dict[str, None] = {}
        for pattern in patterns:
            nodes = [
                node.name
                for node in self.model.graph.node
                if any(fnmatchcase(name, pattern) for name in (node.op_type, node.name, self.title(node.name)))
            ]
            if not nodes:
                known = [self.title(name) for name in self.layers]
                nearest = ", ".join(difflib.get_close_matches(pattern, known, n=3, cutoff=0.0))
                raise UsageError(f"no layer is called {pattern}; nearest: {nearest}. * stands for any characters")
            found.update(dict.fromkeys(nodes))
        weighted = {node.name for node in self.model.graph.node if node.op_type in onnx_graph.WEIGHTED}
        if not weighted - found.keys():
            raise UsageError(f"int8 has nothing left to quantize: {', '.join(patterns)} leave every layer in float")
        return list(found)

    def write(self, to: Path, ranges: Any, *, in_float: Sequence[str]) -> None:
        """Quantize all but `in_float`, and write it as a file that is otherwise as the float32 one."""
        onnx_graph.save(self.quantized(ranges, in_float=in_float), to, like=self.original)

    def quantized(self, ranges: Any, *, in_float: Sequence[str] = (), only: Sequence[str] = ()) -> Any:
        """The graph with all quantized but `in_float`, or nothing but `only`. `ranges` are those of the calibration."""
        import onnx
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        copy = onnx.ModelProto()
        copy.CopyFrom(self.model)
        quantizer = QDQQuantizer(
            copy,
            per_channel=True,
            reduce_range=needs_reduced_range(),
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=ranges,
            nodes_to_quantize=list(only),
            nodes_to_exclude=sorted({*self.exact, *in_float}),
            op_types_to_quantize=list(OPERATORS),
            extra_options={},
        )
        quantizer.quantize_model()
        made = quantizer.model.model
        _float_answers(made.graph, self.exact)
        return made


def needs_reduced_range(cpuinfo: Path = Path("/proc/cpuinfo"), machine: str = platform.machine()) -> bool:
    """Whether weights need 7 bits here: an x86 CPU without VNNI adds products in 16 bits, which overflow."""
    if machine.lower() not in ("x86_64", "amd64"):
        return False
    try:
        flags = cpuinfo.read_text()
    except OSError:
        return True
    return "avx512_vnni" not in flags and "avx_vnni" not in flags


def _float_answers(graph: Any, exact: set[str]) -> None:
    """Let the last matrix product answer in float: rounding the logits would be the largest error of all.

    Convolutions are left: without a quantized output onnxruntime would run them in float.
    """
    makers = {name: node for node in graph.node for name in node.output}
    outputs = {output.name for output in graph.output}
    for node in list(graph.node):
        if node.op_type != "DequantizeLinear" or node.input[0] not in makers:
            continue
        value = makers[node.input[0]].input[0]
        maker = makers.get(value)
        if maker is None or maker.op_type not in ("Gemm", "MatMul"):
            continue
        for reader in graph.node:
            if reader.name in exact:
                reader.input[:] = [value if name == node.output[0] else name for name in reader.input]
        if node.output[0] in outputs:
            _give_name(graph, value, node)


def _give_name(graph: Any, value: str, dequantize: Any) -> None:
    """The graph's output is the float value itself, no longer what was dequantized from it."""
    name = dequantize.output[0]
    dequantize.output[0] = f"{name}_dequantized"
    for node in graph.node:
        node.output[:] = [name if output == value else output for output in node.output]
        node.input[:] = [name if entry == value else entry for entry in node.input]
