"""A torch module on a GPU at its best: pinned buffers, and one captured CUDA graph for each set of shapes that returns.

A batch goes through pinned memory, which the device reads while the host goes on; what the module launches is replayed
as one; outputs come back the same way. Nothing is padded, so a graph answers for exactly the shapes it was captured
with. The first calls of a shape run eagerly: they choose kernels, and many shapes never come again. A module that
cannot be captured, because it waits for the device (suppression does), is run eagerly for good.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.engines.opened import Run

EAGER_CALLS = 3
"""Of each set of shapes, before it is captured."""
MOST_GRAPHS = 40
"""Each holds buffers on the device; the one that was not used for longest is given up."""
_Shapes = tuple[tuple[tuple[int, ...], str], ...]


@dataclass(frozen=True)
class _Graph:
    """What is replayed, and where its inputs and outputs lie: on the host, pinned, and on the device."""

    graph: Any
    host_inputs: tuple[Any, ...]
    device_inputs: tuple[Any, ...]
    device_outputs: tuple[Any, ...]
    host_outputs: tuple[Any, ...]


def runner(torch: Any, module: Any, device: Any) -> Run:
    """A function on arrays that runs a torch module on a CUDA device; callers take turns."""
    return _Runner(torch, module, device).run


class _Runner:
    def __init__(self, torch: Any, module: Any, device: Any) -> None:
        self._torch, self._module, self._device = torch, module, device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        self._turn = threading.Lock()
        self._seen: OrderedDict[_Shapes, int] = OrderedDict()
        self._graphs: OrderedDict[_Shapes, _Graph] = OrderedDict()
        self._can_capture = True

    def run(self, inputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """Outputs in the module's order, in memory of their own."""
        shapes = tuple((array.shape, array.dtype.str) for array in inputs)
        cuda = self._torch.cuda
        with self._turn, self._torch.inference_mode(), cuda.device(self._device), cuda.stream(self._stream):
            graph = self._graphs.get(shapes)
            if graph is not None:
                self._graphs.move_to_end(shapes)
                return self._replayed(graph, inputs)
            found = self._eager(inputs)
            if self._can_capture and all(array.size for array in inputs) and self._returns(shapes):
                self._capture(shapes, inputs, found)
            return found

    def _returns(self, shapes: _Shapes) -> bool:
        self._seen[shapes] = self._seen.pop(shapes, 0) + 1
        while len(self._seen) > 8 * MOST_GRAPHS:
            self._seen.popitem(last=False)
        return self._seen[shapes] >= EAGER_CALLS

    def _eager(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        on_device = [self._pinned(array).to(self._device, non_blocking=True) for array in inputs]
        outputs = [output.to("cpu", non_blocking=True) for output in self._called(on_device)]
        self._stream.synchronize()
        return [output.numpy() for output in outputs]

    def _called(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        outputs = self._module(*inputs)
        return tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)

    def _pinned(self, array: NDArray[Any]) -> Any:
        tensor = self._torch.as_tensor(np.require(array, requirements=["C", "W"]))
        return self._torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor)

    def _capture(self, shapes: _Shapes, inputs: Sequence[NDArray[Any]], wanted: Sequence[NDArray[Any]]) -> None:
        """Keep a graph for these shapes if it answers as the eager call just did."""
        try:
            graph = self._captured(inputs)
            found = self._replayed(graph, inputs)
        except RuntimeError:  # torch's own, of what is not permitted while a stream is captured; or no memory is left
            self._torch.cuda.synchronize(self._device)
            self._can_capture = False
            return
        if not all(_alike(*pair) for pair in zip(found, wanted, strict=True)):
            self._can_capture = False
            return
        self._graphs[shapes] = graph
        if len(self._graphs) > MOST_GRAPHS:
            self._graphs.popitem(last=False)

    def _captured(self, inputs: Sequence[NDArray[Any]]) -> _Graph:
        torch = self._torch
        host = tuple(self._pinned(array) for array in inputs)
        device = tuple(tensor.to(self._device) for tensor in host)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            outputs = self._called(device)
        back = tuple(torch.empty(output.shape, dtype=output.dtype, pin_memory=True) for output in outputs)
        return _Graph(graph, host, device, outputs, back)

    def _replayed(self, graph: _Graph, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        for array, host, device in zip(inputs, graph.host_inputs, graph.device_inputs, strict=True):
            np.copyto(host.numpy(), array)
            device.copy_(host, non_blocking=True)
        graph.graph.replay()
        for device, host in zip(graph.device_outputs, graph.host_outputs, strict=True):
            host.copy_(device, non_blocking=True)
        self._stream.synchronize()
        return [host.numpy().copy() for host in graph.host_outputs]


def _alike(found: NDArray[Any], wanted: NDArray[Any]) -> bool:
    """The same kernels, whose order of additions may differ."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return False
    if found.dtype.kind != "f":
        return np.array_equal(found, wanted)
    return bool(np.allclose(found, wanted, rtol=1e-3, atol=1e-5, equal_nan=True))
