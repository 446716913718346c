"""TensorRT engines (`.engine`) on a CUDA device. An engine runs on the kind of GPU and the version that built it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer import graph_source, manifest
from lit_infer.engines.opened import OpenGraph, Run
from lit_infer.errors import EngineError, require
from lit_infer.graph_source import GraphSource

_MAGIC = b"lit-deploy tensorrt 1\n"


def pack(embedded: str, engine: bytes) -> bytes:
    """The bytes of a `.engine` file: TensorRT cannot store a manifest, so it comes before the engine."""
    text = embedded.encode()
    return _MAGIC + len(text).to_bytes(4, "little") + text + engine


def unpack(data: bytes) -> tuple[str | None, bytes]:
    """The opposite of `pack`; None and all the bytes for an engine that another tool wrote."""
    if not data.startswith(_MAGIC):
        return None, data
    start = len(_MAGIC) + 4
    end = start + int.from_bytes(data[start - 4 : start], "little")
    return data[start:end].decode(), data[end:]


def recognises(head: bytes, entries: frozenset[str]) -> bool:  # noqa: ARG001
    """Whether a file begins as ours do, or as TensorRT's own."""
    return head.startswith((_MAGIC, b"ftrt"))


def open_graph(  # the GPU does the work
    source: Path | GraphSource,
    *,
    device: str,
    threads: int,  # noqa: ARG001
) -> OpenGraph:
    """Open an engine on the CUDA device asked for (`auto`: the first), or raise EngineError."""
    source = graph_source.lone(source) if isinstance(source, Path) else source
    path = source.path
    if device == "cpu":
        raise EngineError(
            f"{path}: TensorRT runs on a CUDA device, not on the CPU. Use another graph, or --device cuda"
        )
    trt = require("tensorrt", extra="tensorrt", purpose=f"Running {path.name}")
    cuda = require("cuda.bindings.runtime", extra="tensorrt", purpose=f"Running {path.name}")
    index = _device(cuda, path, device)
    embedded, serialized = unpack(source.file.read())
    engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(serialized)
    if engine is None:
        raise EngineError(
            f"{path}: TensorRT {trt.__version__} cannot open it: damaged, or built by another version or for another "
            "GPU. Export it on this host"
        )
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    outputs = [name for name in names if name not in inputs]
    if embedded is not None:
        described = manifest.decode(embedded, where=str(path))
        inputs, outputs = ([tensor.name for tensor in side] for side in (described.inputs, described.outputs))
    if not set(inputs + outputs) <= set(names):
        raise EngineError(f"{path}: its manifest names {inputs + outputs}, the engine has {names}")
    dtypes = [np.dtype(trt.nptype(engine.get_tensor_dtype(name))) for name in outputs]
    return OpenGraph(
        run=_runner(cuda, engine.create_execution_context(), index, inputs, list(zip(outputs, dtypes, strict=True))),
        engine=f"tensorrt {trt.__version__}",
        device=f"cuda:{index}",
        embedded=embedded,
    )


def _device(cuda: Any, path: Path, device: str) -> int:
    error, count = cuda.cudaGetDeviceCount()
    index = int(device.partition(":")[2] or 0)
    if error != cuda.cudaError_t.cudaSuccess or index >= count:
        found = f"{count} CUDA devices" if error == cuda.cudaError_t.cudaSuccess and count else "no CUDA device"
        raise EngineError(f"{path}: asked for {device}, found {found}. Use another graph on the CPU")
    _ok(cuda, cuda.cudaSetDevice(index))
    return index


def _runner(cuda: Any, context: Any, index: int, inputs: list[str], outputs: list[tuple[str, np.dtype[Any]]]) -> Run:
    (stream,) = _ok(cuda, cuda.cudaStreamCreate())
    lock = threading.Lock()  # a context runs one batch at a time
    to_device, to_host = cuda.cudaMemcpyKind.cudaMemcpyHostToDevice, cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost

    def run(arrays: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        held: list[Any] = []

        def allocate(name: str, size: int) -> Any:
            (address,) = _ok(cuda, cuda.cudaMallocAsync(max(size, 1), stream))
            held.append(address)
            context.set_tensor_address(name, int(address))
            return address

        with lock:
            _ok(cuda, cuda.cudaSetDevice(index))  # this is set per thread
            try:
                contiguous = [np.ascontiguousarray(array) for array in arrays]  # alive until the copies are done
                for name, array in zip(inputs, contiguous, strict=True):
                    if not context.set_input_shape(name, array.shape):
                        raise EngineError(f"TensorRT: the engine does not take {name} of shape {list(array.shape)}")
                    address = allocate(name, array.nbytes)
                    _ok(cuda, cuda.cudaMemcpyAsync(address, array.ctypes.data, array.nbytes, to_device, stream))
                results = [np.empty(tuple(context.get_tensor_shape(name)), dtype) for name, dtype in outputs]
                addresses = [allocate(name, result.nbytes) for (name, _), result in zip(outputs, results, strict=True)]
                if not context.execute_async_v3(int(stream)):
                    raise EngineError("TensorRT: the engine did not run")
                for address, result in zip(addresses, results, strict=True):
                    _ok(cuda, cuda.cudaMemcpyAsync(result.ctypes.data, address, result.nbytes, to_host, stream))
                _ok(cuda, cuda.cudaStreamSynchronize(stream))
            finally:
                for address in held:
                    cuda.cudaFreeAsync(address, stream)
        return results

    return run


def _ok(cuda: Any, returned: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a CUDA call gives back, after its error code."""
    error, *rest = returned
    if error != cuda.cudaError_t.cudaSuccess:
        raise EngineError(f"CUDA: {cuda.cudaGetErrorString(error)[1].decode()}")
    return tuple(rest)
