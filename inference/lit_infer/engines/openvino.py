"""OpenVINO graphs (`model.xml` with `model.bin`) on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer import graph_source, manifest
from lit_infer.engines.opened import MANIFEST_KEY, OpenGraph, Run
from lit_infer.errors import ArtifactError, EngineError, require
from lit_infer.graph_source import GraphSource
from lit_infer.hardware import usable_cpus

PRECISION_KEY = "lit_deploy_precision"
"""Where the file's rt_info says in which precision it was proven: fp32, fp16, bf16 or int8."""


def recognises(head: bytes, entries: frozenset[str]) -> bool:  # noqa: ARG001
    """Whether a file begins as OpenVINO's XML does."""
    start = head.lstrip()
    return start.startswith(b"<net") or (start.startswith(b"<?xml") and b"<net " in start)


def open_graph(source: Path | GraphSource, *, device: str, threads: int) -> OpenGraph:
    """Open an OpenVINO file and its `.bin`. On the CPU, in the precision that the file was proven in."""
    source = graph_source.lone(source) if isinstance(source, Path) else source
    path = source.path
    ov = require("openvino", extra="openvino", purpose=f"Running {path.name}")
    if device.startswith("cuda"):
        raise EngineError(f"{path}: OpenVINO runs on the CPU, not on {device}. Use --device cpu")
    try:
        core = ov.Core()
        graph = _xml(source)
        weights = np.frombuffer(source.companion(path.with_suffix(".bin").name).mapped(), dtype=np.uint8)
        model = core.read_model(graph, ov.Tensor(weights, shared_memory=True))
    except ArtifactError:
        raise
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"{path}: OpenVINO cannot open it: {_last_line(error)}") from None
    return _compile(core, model, weights, path, threads)


def _compile(core: Any, model: Any, weights: NDArray[Any], path: Path, threads: int) -> OpenGraph:
    precision, embedded = _precision(_rt_info(model, PRECISION_KEY)), _rt_info(model, MANIFEST_KEY)
    try:
        compiled = core.compile_model(model, "CPU", _settings(precision, threads))
    except RuntimeError as error:
        raise EngineError(f"{path}: OpenVINO cannot compile it: {_last_line(error)}") from None
    obtained = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if obtained != precision:
        raise EngineError(f"{path} was proven in {precision}, and this CPU runs it in {obtained}. Use another graph")
    version = core.get_versions("CPU")["CPU"].build_number.partition("-")[0]
    return OpenGraph(
        run=_runner(compiled, weights, *_order(path, compiled, embedded)),
        engine=f"openvino {version} CPU {obtained}",
        device="cpu",
        embedded=embedded,
        threads=threads,
        reopen=lambda threads: _compile(core, model, weights, path, threads),
    )


def _xml(source: GraphSource) -> bytes:
    """The graph. OpenVINO would try what is not XML as a model of five other frameworks."""
    graph = source.file.read()
    if not graph[:200].lstrip().startswith((b"<?xml", b"<net")):
        raise ValueError("it is not an OpenVINO model")
    return graph


def _precision(wished: str | None) -> str:
    """OpenVINO's name for what to compute in. By default it takes bfloat16 on a CPU that has it, also when asked
    for float16. A float16 file keeps its weights in half the space and computes in float32."""
    return "bf16" if wished == "bf16" else "f32"


def _settings(precision: str, threads: int) -> dict[str, Any]:
    # With one thread, a run should cost its caller one core and callers should not wait for each other: a stream each.
    streams = usable_cpus() if threads == 1 else 1
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": max(threads, streams),
        "NUM_STREAMS": streams,
    }


def _rt_info(model: Any, key: str) -> str | None:
    return str(model.get_rt_info(key).astype(str)) if model.has_rt_info(key) else None


def _order(path: Path, compiled: Any, embedded: str | None) -> tuple[list[Any], list[Any]]:
    """The ports for inputs and outputs: by name in the order of the manifest, without one in that of the file."""
    if embedded is None:
        return list(compiled.inputs), list(compiled.outputs)
    described = manifest.decode(embedded, where=str(path))
    try:
        inputs = [compiled.input(tensor.name) for tensor in described.inputs]
        outputs = [compiled.output(tensor.name) for tensor in described.outputs]
    except RuntimeError as error:
        raise EngineError(f"{path}: its manifest names a tensor that the graph lacks: {_last_line(error)}") from None
    return inputs, outputs


def _runner(compiled: Any, weights: NDArray[Any], inputs: list[Any], outputs: list[Any]) -> Run:
    own = threading.local()  # a request holds the tensors of one run: each thread has its own
    held = weights  # a compiled graph may read them where they lie, and does not keep them itself

    def run(arrays: Sequence[NDArray[Any]], _: NDArray[Any] = held) -> Sequence[NDArray[Any]]:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        try:
            results = own.request.infer(dict(zip(inputs, arrays, strict=True)))
        except RuntimeError as error:
            raise EngineError(f"OpenVINO: {_last_line(error)}") from None
        return [results[port] for port in outputs]

    return run


def _last_line(error: Exception) -> str:
    """OpenVINO gives its reason last, after the locations in its source code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
