"""A CUDA session at its best: fixed buffers per batch size, bound once, and replayed as one CUDA graph.

A batch is put into the smallest bucket that holds it; the rest of the bucket is zeros, and their rows are cut off.
Every bucket is run before the first answer, so that no request pays for choosing kernels or capturing a graph.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.engines.opened import Run

BUCKETS = (1, 2, 4, 8, 16, 32)

_BATCH = "batch"
_WARM_UP_RUNS = 3  # choosing kernels, allocating, capturing
_DTYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32, "tensor(float16)": np.float16,
           "tensor(int32)": np.int32, "tensor(int64)": np.int64}  # fmt: skip


@dataclass(frozen=True)
class _Bucket:
    """The buffers of one batch size: the device's, and those on the host that are copied to it."""

    binding: Any
    options: Any
    device_inputs: tuple[Any, ...]
    host_inputs: tuple[NDArray[Any], ...]


def runner(ort: Any, session: Any, *, device_id: int, is_joined: bool = False) -> Run:
    """A function that runs batches of any size on the device; callers take turns.

    Graphs with other dynamic sides than a batch have no fixed buffers: they are run without capture. So are those whose
    rows depend on each other (`is_joined`): what fills a bucket would change their answers.
    """
    if is_joined or not all(_has_buckets(entry) for entry in (*session.get_inputs(), *session.get_outputs())):
        return _uncaptured(ort, session, device_id)
    buckets = {size: _bucket(ort, session, size, device_id) for size in BUCKETS}
    turn = threading.Lock()
    for bucket in buckets.values():
        for _ in range(_WARM_UP_RUNS):
            _run(session, bucket)

    def run(inputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        parts = []
        for start in range(0, max(1, len(inputs[0])), BUCKETS[-1]):
            part = [array[start : start + BUCKETS[-1]] for array in inputs]
            bucket = buckets[bucket_for(len(part[0]))]
            with turn:
                parts.append(_fill_and_run(session, bucket, part))
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]

    return run


def bucket_for(count: int) -> int:
    """The smallest bucket that holds so many; the largest for more."""
    return next((size for size in BUCKETS if size >= count), BUCKETS[-1])


def _has_buckets(entry: Any) -> bool:
    """Whether a tensor's sides are fixed but the batch: filled up, a first side of another name would be longer."""
    first, *others = entry.shape or [None]
    return first == _BATCH and all(isinstance(side, int) for side in others) and entry.type in _DTYPES


def _bucket(ort: Any, session: Any, size: int, device_id: int) -> _Bucket:
    binding, on_device, on_host = session.io_binding(), [], []
    for entry in session.get_inputs():
        host = np.zeros((size, *entry.shape[1:]), dtype=_DTYPES[entry.type])
        device = ort.OrtValue.ortvalue_from_numpy(host, "cuda", device_id)
        binding.bind_ortvalue_input(entry.name, device)
        on_host.append(host)
        on_device.append(device)
    for entry in session.get_outputs():
        shape = [size, *entry.shape[1:]]
        device = ort.OrtValue.ortvalue_from_shape_and_type(shape, _DTYPES[entry.type], "cuda", device_id)
        binding.bind_ortvalue_output(entry.name, device)
    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(size))  # one captured graph for each batch size
    return _Bucket(binding, options, tuple(on_device), tuple(on_host))


def _fill_and_run(session: Any, bucket: _Bucket, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    count = len(inputs[0])
    for array, host, device in zip(inputs, bucket.host_inputs, bucket.device_inputs, strict=True):
        host[:count] = array
        host[count:] = 0
        device.update_inplace(host)
    return [output[:count] for output in _run(session, bucket)]


def _run(session: Any, bucket: _Bucket) -> Sequence[NDArray[Any]]:
    session.run_with_iobinding(bucket.binding, bucket.options)
    outputs: Sequence[NDArray[Any]] = bucket.binding.copy_outputs_to_cpu()
    return outputs


def _uncaptured(ort: Any, session: Any, device_id: int) -> Run:
    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", "-1")  # shapes may change from run to run

    def run(inputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        binding = session.io_binding()
        for entry, array in zip(session.get_inputs(), inputs, strict=True):
            binding.bind_ortvalue_input(entry.name, ort.OrtValue.ortvalue_from_numpy(array, "cuda", device_id))
        for entry in session.get_outputs():
            binding.bind_output(entry.name, "cuda", device_id)
        session.run_with_iobinding(binding, options)
        outputs: Sequence[NDArray[Any]] = binding.copy_outputs_to_cpu()
        return outputs

    return run
