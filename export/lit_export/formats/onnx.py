"""ONNX: by torch's dynamo exporter or its older one; float16 and int8 are made from the proven float32 file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lit_export import half
from lit_export.formats.hushed import hushed
from lit_export.formats.job import WriteJob, Written
from lit_export.tasks import in_precision
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.errors import GateError
from lit_infer.manifest import Manifest, encode

EXTERNAL_DATA_FROM = 1_900_000_000
"""Bytes of weights from which they go into a file beside the graph: protobuf holds at most 2 GiB."""


def write_dynamo(job: WriteJob, path: Path) -> Written:
    """By `torch.onnx.export(dynamo=True)`: what torch maintains."""
    program: Any = _export(job, dynamo=True, dynamic_shapes=_dynamo_shapes(job), verbose=False)
    return _finished(program.model_proto, job, path, exporter=f"torch.onnx dynamo {torch.__version__}")


def write_legacy(job: WriteJob, path: Path) -> Written:
    """By tracing, as torch did before: right for some modules that the other exporter gets wrong."""
    import onnx

    axes = dict(zip(job.input_names, job.target.dynamic, strict=True))
    axes |= {
        tensor.name: {axis: side for axis, side in enumerate(tensor.shape) if isinstance(side, str)}
        for tensor in job.target.outputs
    }
    traced = path.with_suffix(".traced")
    try:
        _export(job, traced, dynamo=False, dynamic_axes=axes)
        return _finished(onnx.load(traced), job, path, exporter=f"torch.onnx legacy {torch.__version__}")
    finally:
        traced.unlink(missing_ok=True)


def write_fp16(job: WriteJob, path: Path) -> Written:
    """float16 inside, the same inputs and outputs; from the proven float32 file."""
    fp32 = job.onnx("fp32")
    half.fp16(fp32.path, path)
    return _read_back(path, job, exporter=f"{fp32.exporter}, then onnxruntime's float16 converter")


def write_int8(job: WriteJob, path: Path) -> Written:
    """Quantized statically, from the proven float32 file."""
    fp32 = job.onnx("fp32")
    quantization = job.quantize(fp32.path, path)
    written = _read_back(path, job, exporter=f"{fp32.exporter}, then onnxruntime static QDQ")
    return replace(written, quantization=quantization)


def _export(job: WriteJob, *to: Path, **how: Any) -> Any:
    with hushed(), torch.no_grad():  # as in inference: a module may ask whether gradients are on
        return torch.onnx.export(
            in_precision(job.target.module, "fp32"),
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
    return shapes if job.target.takes_images else (shapes,)


def _finished(graph: Any, job: WriteJob, path: Path, *, exporter: str) -> Written:
    """Make an exporter's graph self-describing, check it, write it, and read back what it is."""
    import onnx

    _strip_source(graph)
    describe(graph, job.described)
    large = graph.ByteSize() >= EXTERNAL_DATA_FROM
    companions = _save_large(graph, path) if large else ()
    if not large:
        path.write_bytes(graph.SerializeToString(deterministic=True))
    onnx.checker.check_model(path, full_check=True)
    return _read_back(path, job, exporter=exporter, companions=companions)


def describe(graph: Any, described: Manifest) -> None:
    """Put the manifest into a graph's metadata."""
    others = [entry for entry in graph.metadata_props if entry.key != MANIFEST_KEY]
    del graph.metadata_props[:]
    graph.metadata_props.extend(others)
    entry = graph.metadata_props.add()
    entry.key, entry.value = MANIFEST_KEY, encode(described).decode()


def _save_large(graph: Any, path: Path) -> tuple[Path, ...]:
    import onnx

    data = path.with_name(f"{path.name}.data")
    onnx.save(graph, path, save_as_external_data=True, location=data.name, size_threshold=1024)
    return (data,)


def _read_back(path: Path, job: WriteJob, *, exporter: str, companions: tuple[Path, ...] = ()) -> Written:
    import onnx

    back = onnx.load(path, load_external_data=False)
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
