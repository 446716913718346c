"""ONNX graphs by onnxruntime: on the CPU, on CUDA, by TensorRT, or by OpenVINO's provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from lit_infer import graph_source
from lit_infer.engines import onnx_files
from lit_infer.engines.opened import MANIFEST_KEY, OpenGraph, Run, rows_are_joined
from lit_infer.errors import ArtifactError, EngineError, MissingExtraError, UsageError, require
from lit_infer.graph_source import GraphSource

ExecutionProvider = Literal["auto", "cpu", "cuda", "tensorrt", "openvino"]

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_NAMES = {"cpu": _CPU, "cuda": _CUDA, "tensorrt": "TensorrtExecutionProvider", "openvino": "OpenVINOExecutionProvider"}
PROVIDERS = tuple(_NAMES)
"""As in `--engine onnx:tensorrt`."""


def recognises(head: bytes, entries: frozenset[str]) -> bool:  # noqa: ARG001
    """Whether a file begins as an ONNX model does: its IR version, then a field of text."""
    return len(head) > 2 and head[0] == 8 and 2 < head[1] < 64 and head[2] in (0x12, 0x3A)


def open_graph(
    source: Path | GraphSource | bytes,
    *,
    device: str,
    threads: int,
    provider: ExecutionProvider = "auto",
    ort: Any = None,
) -> OpenGraph:
    """Open an ONNX file or its bytes. The device and the provider asked for are those obtained, or an EngineError.

    `provider`: auto is CUDA for a CUDA device and the CPU otherwise; the others are taken when named. `ort` stands
    in for the onnxruntime module.
    """
    if isinstance(source, Path):
        source = graph_source.lone(source)
    name = "the graph" if isinstance(source, bytes) else source.path.name
    ort = ort or require("onnxruntime", extra="cpu", purpose=f"Running {name}")
    wanted, why = _choose(device, provider, ort.get_available_providers())
    if (device, provider, wanted) == ("auto", "auto", "cuda"):
        try:
            return _open(source, ort, wanted, "cuda:0", threads, why)
        except EngineError as error:  # installed, but without a device or a driver: auto may fall back and say so
            wanted, why = "cpu", f"auto: CUDA could not be used ({error})"
    obtained = "cpu" if wanted in ("cpu", "openvino") else f"cuda:{int(device.partition(':')[2] or 0)}"
    return _open(source, ort, wanted, obtained, threads, why)


def _choose(device: str, provider: ExecutionProvider, available: Sequence[str]) -> tuple[str, str]:
    """(provider, why), or an error that says what is available instead."""
    on_cuda = device.startswith("cuda")
    if provider == "auto":
        if device == "auto":
            here = ", ".join(available)
            wanted = "cuda" if _CUDA in available else "cpu"
            return wanted, f"auto: this onnxruntime has {here}"
        provider = "cuda" if on_cuda else "cpu"
    elif device != "auto" and on_cuda != (provider in ("cuda", "tensorrt")):
        raise UsageError(f"--device {device} does not go with onnxruntime's {provider} provider")
    if _NAMES[provider] not in available:
        raise _missing(f"--device {device}" if on_cuda else f"The {provider} provider", provider, available)
    return provider, f"{provider} was asked for"


def _missing(asked: str, provider: ExecutionProvider, available: Sequence[str]) -> MissingExtraError:
    what = "CUDA" if provider == "cuda" else _NAMES[provider]
    fix = 'In a fresh environment run: pip install "lit-deploy[gpu]"'
    if provider == "openvino":
        fix = "Without it, OpenVINO runs a graph of its own format: lit-export openvino"
    return MissingExtraError(f"{asked} needs onnxruntime with {what}, and this one has {', '.join(available)}. {fix}")


def _open(source: GraphSource | bytes, ort: Any, provider: str, device: str, threads: int, why: str) -> OpenGraph:
    name = "the graph" if isinstance(source, bytes) else str(source.path)
    data = source if isinstance(source, bytes) else source.file.read()
    stamp = _stamp(source)
    options = _options(ort, threads)
    try:
        kept = _give_weights(options, source, data)  # alive until the session has copied what it needs
        session = ort.InferenceSession(
            data,
            sess_options=options,
            providers=_providers(provider, device, threads),
            enable_fallback=False,
        )
    except ArtifactError:
        raise
    except Exception as error:  # onnxruntime's exception classes share no base but Exception
        raise EngineError(f"{name}: onnxruntime cannot open it: {_first_line(error)}") from None
    del kept
    session._model_bytes = None  # it would keep the whole file in memory for a fallback, which is off
    obtained = tuple(session.get_providers())
    if obtained[0] != _NAMES[provider]:
        raise EngineError(
            f"{name}: asked for {_NAMES[provider]}, onnxruntime obtained {obtained[0]}. "
            "Check its libraries (CUDA, cuDNN, TensorRT), or use --device cpu"
        )
    embedded = session.get_modelmeta().custom_metadata_map.get(MANIFEST_KEY)
    opened = OpenGraph(
        run=_on_cuda(ort, session, device, embedded) if device != "cpu" else _on_cpu(session),
        engine=f"onnxruntime {obtained[0]}",
        device=device,
        embedded=embedded,
        providers=obtained,
        why=why,
        threads=threads,
    )
    if provider != "cpu":
        return opened  # the device has one queue; more sessions would only hold the weights twice
    return replace(opened, reopen=partial(_reopen, source, stamp, ort, why))


def _give_weights(options: Any, source: GraphSource | bytes, data: bytes) -> list[Any]:
    """Hand over the contents of the files that the graph refers to; onnxruntime opens none itself."""
    names = sorted(onnx_files.referred(data))
    if isinstance(source, bytes):
        if names:
            raise ArtifactError(f"the graph refers to {names[0]}: a graph from bytes holds its weights itself")
        return []
    contents = [source.companion(name).mapped() for name in names]
    if names:
        sizes = [len(content) for content in contents]
        options.add_external_initializers_from_files_in_memory(names, contents, sizes)
    return contents


def _reopen(source: GraphSource | bytes, stamp: tuple[int, ...], ort: Any, why: str, threads: int) -> OpenGraph:
    if not isinstance(source, bytes) and _stamp(source) != stamp:
        raise EngineError(f"{source.path} was changed since it was opened: load the model again")
    return _open(source, ort, "cpu", "cpu", threads, why)


def _stamp(source: GraphSource | bytes) -> tuple[int, ...]:
    """Changes when a file is written to."""
    if isinstance(source, bytes):
        return ()
    return sum((file.stamp() for file in (source.file, *(source.listed or {}).values())), ())


def _on_cpu(session: Any) -> Run:
    outputs = [output.name for output in session.get_outputs()]
    names = [entry.name for entry in session.get_inputs()]

    def run(inputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        result: Sequence[NDArray[Any]] = session.run(outputs, dict(zip(names, inputs, strict=True)))
        return result

    return run


def _on_cuda(ort: Any, session: Any, device: str, embedded: str | None) -> Run:
    from lit_infer.engines import cuda_buckets

    device_id = int(device.partition(":")[2])
    return cuda_buckets.runner(ort, session, device_id=device_id, is_joined=rows_are_joined(embedded))


def _providers(provider: str, device: str, threads: int) -> list[Any]:
    device_id = device.partition(":")[2]
    cuda = (_CUDA, {"device_id": device_id, "cudnn_conv_algo_search": "HEURISTIC", "enable_cuda_graph": "1"})
    match provider:
        case "cuda":
            return [cuda, _CPU]
        case "tensorrt":
            return [(_NAMES["tensorrt"], {"device_id": device_id, "trt_cuda_graph_enable": "1"}), cuda, _CPU]
        case "openvino":
            return [(_NAMES["openvino"], {"device_type": "CPU", "num_of_threads": str(threads)}), _CPU]
    return [_CPU]


def _options(ort: Any, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning workers win nothing measurable and take the cores that decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # By default a file may choose onnxruntime's own format by its first bytes; nobody looks through that one.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 4  # an error that is raised is not printed as well
    return options


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
