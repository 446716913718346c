"""One writer a format: a module and an example in, one self-describing file out.

Each writer gives back what it finds in the finished file, not what was asked for.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.core.module import _jit_is_scripting
from torch import Tensor, nn

from lit_infer.engines import ENGINES
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.errors import GateError, require
from lit_infer.manifest import Format, Manifest, encode

OPSET = 20
INPUT, OUTPUT, BATCH = "images", "probabilities", "batch"


@dataclass(frozen=True)
class Written:
    """A graph file, as read back."""

    path: Path
    exporter: str
    opset: int | None = None
    ir_version: int | None = None


Writer = Callable[[nn.Module, Tensor, Manifest, Path], Written]


def file(name: Format, folder: Path) -> Path:
    """Where a format's graph lies in a bundle."""
    return folder / f"model{ENGINES[name].suffix}"


def write(name: Format, module: nn.Module, example: Tensor, described: Manifest, folder: Path) -> Written:
    """Write `folder/model.<suffix>`. `example` holds two images: a batch of one would be frozen into the graph."""
    return _WRITERS[name](module, example, described.embedded(), file(name, folder))


def _write_onnx(module: nn.Module, example: Tensor, described: Manifest, path: Path) -> Written:
    onnx = require("onnx", extra="export", purpose="Exporting to ONNX")
    require("onnxscript", extra="export", purpose="Exporting to ONNX")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on its own internals; the file is verified below
        program: Any = torch.onnx.export(
            module,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: BATCH},),
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    graph = program.model_proto
    _strip_source(graph)
    entry = graph.metadata_props.add()
    entry.key, entry.value = MANIFEST_KEY, encode(described).decode()
    onnx.checker.check_model(graph, full_check=True)
    path.write_bytes(graph.SerializeToString(deterministic=True))
    back = onnx.load(path)
    opset = next(entry.version for entry in back.opset_import if entry.domain in ("", "ai.onnx"))
    if opset != OPSET:
        raise GateError(f"asked for ONNX opset {OPSET}, the exporter wrote {opset}")
    return Written(path, exporter=f"torch.onnx dynamo {torch.__version__}", opset=opset, ir_version=back.ir_version)


def _strip_source(graph: Any) -> None:
    """Remove what the exporter notes of the author's source: file names, code lines, the program's signature."""
    del graph.metadata_props[:]
    body = graph.graph
    del body.metadata_props[:]
    for part in (*body.node, *body.input, *body.output, *body.value_info, *body.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    for function in graph.functions:
        del function.metadata_props[:]
        for node in function.node:
            node.doc_string = ""
            del node.metadata_props[:]


def _write_torchscript(module: nn.Module, example: Tensor, described: Manifest, path: Path) -> Written:
    # Tracing looks at every property of a LightningModule, and `trainer` raises outside this context.
    with _jit_is_scripting(), warnings.catch_warnings(), torch.no_grad():
        # That torch.jit is deprecated is said in the help; what the tracer suspects, the finished file is checked for.
        warnings.simplefilter("ignore")
        traced = torch.jit.freeze(torch.jit.trace(module, example, check_trace=False))  # type: ignore[no-untyped-call]
        buffer = io.BytesIO()
        torch.jit.save(traced, buffer, _extra_files={MANIFEST_KEY: encode(described).decode()})
    _copy_without_source(buffer, path)
    return Written(path, exporter=f"torch.jit.trace {torch.__version__}")


def _copy_without_source(archive: io.BytesIO, path: Path) -> None:
    """Rewrite a TorchScript archive without its debug records, which hold the author's paths and code lines.

    PyTorch's own reader and writer, which keep the alignment that its loader expects.
    """
    archive.seek(0)
    reader = torch._C.PyTorchFileReader(archive)
    writer = torch._C.PyTorchFileWriter(str(path))
    for name in reader.get_all_records():
        if name.endswith(".debug_pkl") or name in ("version", ".data/serialization_id"):
            continue  # the writer makes the last two itself
        data = reader.get_record(name)
        writer.write_record(name, data, len(data))
    writer.write_end_of_file()


_WRITERS: dict[str, Writer] = {"onnx": _write_onnx, "torchscript": _write_torchscript}
