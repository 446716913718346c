"""ONNX graphs by onnxruntime, on the CPU or on CUDA."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lit_infer.engines.opened import MANIFEST_KEY, OpenGraph
from lit_infer.errors import EngineError, MissingExtraError, require

_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"


def open_graph(path: Path, *, device: str, threads: int) -> OpenGraph:
    """Open an ONNX file. The device asked for is the device obtained, or an EngineError."""
    ort = require("onnxruntime", extra="cpu", purpose=f"Running {path.name}")
    on_cuda = _wants_cuda(device, ort.get_available_providers())
    index = int(device.partition(":")[2] or 0)
    providers: list[Any] = [(_CUDA, {"device_id": index, "cudnn_conv_algo_search": "HEURISTIC"})] if on_cuda else []
    try:
        session = ort.InferenceSession(
            path, sess_options=_options(ort, threads), providers=[*providers, _CPU], enable_fallback=False
        )
    except Exception as error:  # onnxruntime's exception classes share no base but Exception
        raise EngineError(f"{path}: onnxruntime cannot open it: {_first_line(error)}") from None
    obtained = session.get_providers()[0]
    if on_cuda and obtained != _CUDA:
        raise EngineError(
            f"{path}: asked for CUDA, onnxruntime obtained {obtained}. "
            "Check the CUDA and cuDNN libraries, or use --device cpu"
        )
    outputs = [output.name for output in session.get_outputs()]
    names = [entry.name for entry in session.get_inputs()]

    def run(inputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        result: Sequence[NDArray[Any]] = session.run(outputs, dict(zip(names, inputs, strict=True)))
        return result

    return OpenGraph(
        run=run,
        engine=f"onnxruntime {obtained}",
        device=f"cuda:{index}" if on_cuda else "cpu",
        embedded=session.get_modelmeta().custom_metadata_map.get(MANIFEST_KEY),
    )


def _wants_cuda(device: str, available: Sequence[str]) -> bool:
    if device == "auto":
        return _CUDA in available
    if device == "cpu":
        return False
    if _CUDA not in available:
        raise MissingExtraError(
            f"--device {device} needs onnxruntime with CUDA, and this one has {', '.join(available)}. "
            'In a fresh environment run: pip install "lit-deploy[gpu]"'
        )
    return True


def _options(ort: Any, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning workers win nothing measurable and take the cores that decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
