"""One graph, opened once or twice: on all threads for the latency of one call, on one thread for each of many callers.

Two threads that run batches of their own, each on one core, get more done than one batch spread over two cores: 1,110
images/s against 900 with MobileNetV3-small on the 2 cores measured. A lone call is faster when spread. A second
session takes some 25 ms and the weights' memory again, so each is opened when first needed.
"""

import ctypes
import os
import threading
import weakref
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from lit_infer.engines import OpenGraph, Run
from lit_infer.errors import UsageError
from lit_infer.manifest import Tensor
from lit_infer.tensors import check_range


class Sessions:
    """The open sessions of one graph in one process.

    `inputs` are the graph's: what the module would refuse is not given to a graph, which may answer it.
    """

    def __init__(self, graph: OpenGraph, *, threads: int, inputs: tuple[Tensor, ...] = ()) -> None:
        self._threads = threads
        self._inputs = inputs if any(tensor.range is not None for tensor in inputs) else ()
        self._reopen = graph.reopen
        # Without a way to reopen it, the one graph serves any number of threads.
        self._open = {graph.threads: graph} if graph.reopen else {1: graph, threads: graph}
        self._lock = threading.Lock()
        self._foreign = False
        _all.add(self)

    def for_one(self) -> Run:
        """The graph for a call that has the machine to itself."""
        return self._on(self._threads)

    def for_many(self) -> Run:
        """The graph for calls from `threads` threads at once."""
        return self._on(1)

    def is_foreign(self) -> bool:
        """Whether this process is a fork of the one that opened the graph."""
        return self._foreign

    def opened(self) -> list[OpenGraph]:
        """The sessions that are open now."""
        return list(self._open.values())

    def close(self) -> None:
        """Release the graph."""
        self._open, self._reopen = {}, None

    def leave_to_parent(self) -> None:
        """After a fork, in the child: never free the graphs, which would wait for threads that do not exist here."""
        self._foreign = True
        for graph in self._open.values():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(graph))

    def _on(self, threads: int) -> Run:
        if found := self._open.get(threads):
            return self._checked(found.run)
        with self._lock:
            if threads not in self._open:
                if self._reopen is None:
                    raise UsageError("the model is closed: load it again")
                self._open[threads] = self._reopen(threads)
            return self._checked(self._open[threads].run)

    def _checked(self, run: Run) -> Run:
        if not (inputs := self._inputs):
            return run

        def checked(arrays: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
            check_range(inputs, arrays)
            return run(arrays)

        return checked


_all: weakref.WeakSet[Sessions] = weakref.WeakSet()


def _after_fork() -> None:
    for sessions in list(_all):
        sessions.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
