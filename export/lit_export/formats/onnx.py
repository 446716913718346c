"""ONNX: by torch's dynamo exporter or its older one; float16 and int8 are made from the proven float32 file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lit_export import half
from lit_export.formats import onnx_file
from lit_export.formats.hushed import hushed
from lit_export.formats.job import WriteJob, Written
from lit_export.formats.own_names import with_own_names
from lit_export.formats.packed_state import packed_state
from lit_export.formats.plain_attention import plain_attention
from lit_export.formats.size_guards import doubts
from lit_export.formats.spelled_index import SpelledIndex
from lit_export.formats.symbolic_len import symbolic_len
from lit_export.suppression import translations
from lit_export.tasks import in_precision
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.errors import GateError
from lit_infer.manifest import Manifest, encode

EXTERNAL_DATA_FROM = 1_900_000_000
"""Bytes of weights from which they go into a file beside the graph: protobuf holds at most 2 GiB."""


def write_dynamo(job: WriteJob, path: Path) -> Written:
    """By `torch.onnx.export(dynamo=True)`: what torch maintains."""
    how = {"dynamic_shapes": _dynamo_shapes(job), "custom_translation_table": translations()}
    program: Any = _export(job, dynamo=True, verbose=False, **how)
    written = _finished(
        onnx_file.parts_of(with_own_names(program.model)), job, path, exporter=f"torch.onnx dynamo {torch.__version__}"
    )
    return replace(written, doubts=doubts(program.exported_program, job.target.dynamic))


def write_legacy(job: WriteJob, path: Path) -> Written:
    """By tracing, as torch did before: right for some modules that the other exporter gets wrong."""
    job.require_exercised()
    import onnx

    axes = dict(zip(job.input_names, job.target.dynamic, strict=True))
    axes |= {
        tensor.name: {axis: side for axis, side in enumerate(tensor.shape) if isinstance(side, str)}
        for tensor in job.target.outputs
    }
    traced = path.with_suffix(".traced")
    try:
        with packed_state(), SpelledIndex():
            _export(job, traced, dynamo=False, dynamic_axes=axes, module=_traced(job))
        parts = onnx_file.OnnxParts(onnx.load(traced), {})
        written = _finished(parts, job, path, exporter=f"torch.onnx legacy {torch.__version__}")
        return replace(written, doubts=job.doubts())
    finally:
        traced.unlink(missing_ok=True)


def write_fp16(job: WriteJob, path: Path) -> Written:
    """float16 inside, the same inputs and outputs; from the proven float32 file."""
    fp32 = job.onnx("fp32")
    half.fp16(fp32.path, path)
    return _read_back(path, job, exporter=f"{fp32.exporter}, then onnxruntime's float16 converter")


def write_int8(job: WriteJob, path: Path) -> Written:
    """Quantized from the proven float32 file: statically, or dynamically where nothing was calibrated."""
    fp32 = job.onnx("fp32")
    quantization = job.quantize(fp32.path, path)
    how = "static QDQ" if quantization.calibration_images else "dynamic quantization"
    written = _read_back(path, job, exporter=f"{fp32.exporter}, then onnxruntime {how}")
    return replace(written, quantization=quantization)


def _traced(job: WriteJob) -> nn.Module | None:
    """The module as a trace, if a part of it is TorchScript: the exporter's own trace does not know such parts."""
    module = in_precision(job.target.module, "fp32")
    if not any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        return None
    with hushed(), symbolic_len(), plain_attention(), torch.no_grad():
        traced: nn.Module = torch.jit.trace(module, job.examples(), check_trace=False)  # type: ignore[no-untyped-call]
    return traced


def _export(job: WriteJob, *to: Path, module: nn.Module | None = None, **how: Any) -> Any:
    # no gradients, as in inference: a module may ask whether they are on
    with hushed(), symbolic_len(), plain_attention(), torch.no_grad():
        return torch.onnx.export(
            module or in_precision(job.target.module, "fp32"),
            job.examples(),
            *to,
            input_names=job.input_names,
            output_names=job.output_names,
            opset_version=job.options.opset,
            external_data=False,
            **how,
        )


def _dynamo_shapes(job: WriteJob) -> Any:
    """In the form of the module's own arguments: one that takes `*tensors` has them in a tuple of their own."""
    shapes = tuple(dict(sides) or None for sides in job.target.dynamic)
    return shapes if job.target.takes_one_image else (shapes,)


def _finished(parts: onnx_file.OnnxParts, job: WriteJob, path: Path, *, exporter: str) -> Written:
    """Make an exporter's graph self-describing, check it, write it, and read back what it is."""
    _strip_source(parts.model)
    _restore_inputs(parts.model.graph, job)
    describe(parts.model, job.described)
    onnx_file.check(parts)
    if parts.bytes >= EXTERNAL_DATA_FROM:
        return _read_back(path, job, exporter=exporter, companions=_save_large(parts, path))
    onnx_file.write(parts, path)
    return _read_back(path, job, exporter=exporter)


def _restore_inputs(graph: Any, job: WriteJob) -> None:
    """The inputs of the module, in its order: the older exporter drops one that it finds no use for.

    Where it has frozen such an input's value, the comparison shows it.
    """
    import onnx

    there = {entry.name: entry for entry in graph.input}
    kinds = {
        name: onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in {t.dtype for t in job.target.inputs}
    }
    wanted = [
        there.pop(tensor.name, None)
        or onnx.helper.make_tensor_value_info(tensor.name, kinds[tensor.dtype], tensor.shape)
        for tensor in job.target.inputs
    ]
    wanted += there.values()
    del graph.input[:]
    graph.input.extend(wanted)


def describe(graph: Any, described: Manifest) -> None:
    """Put the manifest into a graph's metadata."""
    others = [entry for entry in graph.metadata_props if entry.key != MANIFEST_KEY]
    del graph.metadata_props[:]
    graph.metadata_props.extend(others)
    entry = graph.metadata_props.add()
    entry.key, entry.value = MANIFEST_KEY, encode(described).decode()


def _save_large(parts: onnx_file.OnnxParts, path: Path) -> tuple[Path, ...]:
    """The weights in a file beside the graph."""
    import onnx

    data = path.with_name(f"{path.name}.data")
    for entry in parts.model.graph.initializer:
        if entry.name in parts.weights:
            entry.raw_data = parts.weights[entry.name].tobytes()
    onnx.save(parts.model, path, save_as_external_data=True, location=data.name, size_threshold=1024)
    return (data,)


def _read_back(path: Path, job: WriteJob, *, exporter: str, companions: tuple[Path, ...] = ()) -> Written:
    back = onnx_file.head(path)
    opset = next(entry.version for entry in back.opset_import if entry.domain in ("", "ai.onnx"))
    if opset != job.options.opset:
        raise GateError(f"asked for ONNX opset {job.options.opset}, the exporter wrote {opset}")
    return Written(path, exporter=exporter, opset=opset, ir_version=back.ir_version, companions=companions)


def _strip_source(graph: Any) -> None:
    """Remove what the exporter notes of the author's source: file names, code lines, the program's signature."""
    graph.doc_string = ""
    del graph.metadata_props[:]
    body = graph.graph
    body.doc_string = ""
    del body.metadata_props[:]
    for part in (*body.node, *body.input, *body.output, *body.value_info, *body.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    for function in graph.functions:
        function.doc_string = ""
        del function.metadata_props[:]
        for node in function.node:
            node.doc_string = ""
            del node.metadata_props[:]
