"""From images to predictions: prepare on threads, run in batches, pick the top classes.

`load(model)` opens a bundle. `predict` answers for a list, `stream` for any iterable in bounded memory, `submit` for
one item of many callers, `run` for bare arrays.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer import bundle, settings
from lit_infer.answering import Ask, answer, prepare
from lit_infer.batcher import Batcher, BatchPolicy
from lit_infer.engines import OpenGraph, Run, check_device, onnxruntime
from lit_infer.errors import EngineError, InputError, UsageError
from lit_infer.hardware import DEFAULT_BATCH_SIZE, usable_cpus
from lit_infer.images import ImageInput, Pixels
from lit_infer.limits import DEFAULT_LIMITS, Limits
from lit_infer.manifest import Manifest
from lit_infer.predictions import Choice, Prediction, Timings, top_choices
from lit_infer.sessions import Sessions

__all__ = [
    "BatchPolicy",
    "Choice",
    "Limits",
    "Prediction",
    "Predictor",
    "Timings",
    "from_onnx_bytes",
    "load",
    "open_predictor",
    "top_choices",
]


class Predictor:
    """A model, ready to answer. Make one with `load`; any number of threads may share it.

    It belongs to the process that opened it: after a fork its calls raise EngineError, and it cannot be pickled.
    `close` it, or use it in a `with` statement, to give its threads and memory back at a moment of your choosing.
    """

    def __init__(
        self,
        manifest: Manifest,
        graph: OpenGraph,
        *,
        threads: int,
        batch_size: int = DEFAULT_BATCH_SIZE,
        limits: Limits = DEFAULT_LIMITS,
        policy: BatchPolicy | None = None,
    ) -> None:
        self.manifest = manifest
        self.device = graph.device
        self.engine = graph.engine
        self.threads = threads
        self.batch_size = batch_size
        self.limits = limits
        self.policy = policy or BatchPolicy(max_batch=batch_size)
        self.path: Path | None = None
        """The graph's file; None for a graph from bytes."""
        self.sessions = Sessions(graph, threads=threads)
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._batcher: Batcher[tuple[ImageInput, Ask], Prediction] | None = None
        self._closed = False

    def predict(
        self,
        items: Iterable[ImageInput],
        *,
        top_k: int = 5,
        batch_size: int | None = None,
        timings: bool = False,
        limits: Limits | None = None,
    ) -> list[Prediction]:
        """Predict each item: a path, encoded bytes, a PIL image, or uint8 [height, width(, 1 or 3)] in RGB.

        The list is in the order of the items. An item that cannot be read gets `error` and `code`; its
        neighbours' results are, bit for bit, what they are without it. At most one batch of items is answered in the
        least time, on all threads together; more are streamed. Raises UsageError for arguments that make no sense.
        """
        size = self._checked_size(batch_size, top_k)
        source, ask = iter(_many(items)), Ask(top_k, timings, limits or self.limits)
        first = list(islice(source, size + 1))
        if len(first) > size:
            return list(self._stream(chain(first, source), size, ask))
        prepare_all = self._threads().map if len(first) > 1 and self.threads > 1 else map
        prepared = list(prepare_all(lambda item: prepare(item, self.manifest, ask.limits), first))
        return answer(first, prepared, [ask] * len(first), manifest=self.manifest, run=self.sessions.for_one())

    def stream(
        self,
        items: Iterable[ImageInput],
        *,
        top_k: int = 5,
        batch_size: int | None = None,
        timings: bool = False,
        limits: Limits | None = None,
    ) -> Iterator[Prediction]:
        """As `predict`, one by one and in order, for an iterable of any length.

        Holds at most `threads` + 1 batches of items at a time, and takes none before the first result is asked for.
        Each thread prepares and runs batches of its own, which keeps all cores busy without handing images around.
        """
        size = self._checked_size(batch_size, top_k)
        return self._stream(iter(_many(items)), size, Ask(top_k, timings, limits or self.limits))

    def submit(
        self, item: ImageInput, *, top_k: int = 5, timings: bool = False, timeout: float | None = None
    ) -> Future[Prediction]:
        """Predict one item together with those that other threads submit meanwhile.

        The future gives the prediction, with `error` and `code` if the item cannot be read, or raises ExpiredError
        where its batch had not begun after `timeout` seconds. Cancelled before that, the item is dropped. Raises
        OverloadedError at once when the queue is full; `load(policy=...)` sets its limits and the batching.
        """
        self._checked_size(None, top_k)
        ask = Ask(top_k, timings, self.limits)
        return self._shared_batcher().submit((item, ask), size=_bytes(item), timeout=timeout)

    async def apredict(
        self,
        items: Iterable[ImageInput],
        *,
        top_k: int = 5,
        timings: bool = False,
        timeout: float | None = None,
    ) -> list[Prediction]:
        """As `predict`, from asyncio: items of all tasks are batched together, as by `submit`.

        A call has at most a few batches of its own under way. Cancelling it drops its items that still wait.
        """
        under_way: deque[asyncio.Future[Prediction]] = deque()
        found: list[Prediction] = []
        try:
            for item in _many(items):
                if len(under_way) >= self.policy.max_batch * (self.threads + 1):
                    found.append(await under_way[0])
                    under_way.popleft()
                submitted = self.submit(item, top_k=top_k, timings=timings, timeout=timeout)
                under_way.append(asyncio.wrap_future(submitted))
            while under_way:
                found.append(await under_way[0])
                under_way.popleft()
        finally:
            for left in under_way:
                left.cancel()
        return found

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the bare graph: arrays by input name, in the manifest's shapes and dtypes; outputs by name."""
        self._check_open()
        arrays = self._checked_arrays(inputs)
        outputs = self.sessions.for_one()(arrays)
        return {tensor.name: array for tensor, array in zip(self.manifest.outputs, outputs, strict=True)}

    def prepare(self, item: ImageInput) -> Pixels:
        """One image as the graph takes it: uint8 [height, width, channels]. Raises InputError."""
        prepared = prepare(item, self.manifest, self.limits)
        if isinstance(prepared, InputError):
            raise prepared
        return prepared.pixels

    def close(self) -> None:
        """Answer what was submitted, then give threads and memory back. A second call does nothing."""
        with self._lock:
            self._closed, batcher, pool = True, self._batcher, self._pool
            self._batcher = self._pool = None
        if not self.sessions.is_foreign():  # a fork has no threads to wait for
            if batcher is not None:
                batcher.close()
            if pool is not None:
                pool.shutdown(wait=True)
        self.sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise UsageError(
            f"{self.manifest.name}: an open model cannot be pickled or sent to another process. "
            "Send the model's path, and call lit_infer.load there"
        )

    def _stream(self, source: Iterator[ImageInput], size: int, ask: Ask) -> Iterator[Prediction]:
        run = self.sessions.for_many()
        under_way: deque[Future[list[Prediction]]] = deque()
        more = True
        try:
            while more or under_way:
                is_ready = bool(under_way) and under_way[0].done()
                if more and not is_ready and len(under_way) <= self.threads:
                    batch = list(islice(source, size))
                    more = len(batch) == size
                    if batch:
                        under_way.append(self._threads().submit(self._answer, batch, [ask] * len(batch), run))
                else:
                    yield from under_way.popleft().result()
        finally:
            for left in under_way:
                left.cancel()

    def _answer(self, items: Sequence[ImageInput], asks: Sequence[Ask], run: Run) -> list[Prediction]:
        prepared = [prepare(item, self.manifest, ask.limits) for item, ask in zip(items, asks, strict=True)]
        return answer(items, prepared, asks, manifest=self.manifest, run=run)

    def _answer_submitted(self, batch: Sequence[tuple[ImageInput, Ask]]) -> list[Prediction]:
        items, asks = zip(*batch, strict=True)
        return self._answer(items, asks, self.sessions.for_many())

    def _checked_size(self, batch_size: int | None, top_k: int) -> int:
        self._check_open()
        size = self.batch_size if batch_size is None else batch_size
        if top_k < 1 or size < 1:
            raise UsageError(f"top_k and batch_size must be at least 1, not {top_k} and {size}")
        if self.manifest.task == "tensor":
            raise UsageError(f"{self.manifest.name} is for task tensor: use Predictor.run")
        return size

    def _checked_arrays(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        tensors = self.manifest.inputs
        if len(inputs) != len(tensors) or not all(tensor.name in inputs for tensor in tensors):
            expected = ", ".join(sorted(tensor.name for tensor in tensors))
            raise UsageError(f"the graph takes {expected}, not {', '.join(sorted(inputs))}")
        arrays = [inputs[tensor.name] for tensor in tensors]
        for tensor, array in zip(tensors, arrays, strict=True):
            fits = len(array.shape) == len(tensor.shape) and all(
                isinstance(want, str) or want == have for want, have in zip(tensor.shape, array.shape, strict=True)
            )
            if array.dtype != tensor.dtype or not fits:
                raise UsageError(
                    f"input {tensor.name} is {tensor.dtype} {list(tensor.shape)}, not {array.dtype} {list(array.shape)}"
                )
        return arrays

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError(f"{self.manifest.name} is closed: load it again")
        if self.sessions.is_foreign():
            raise EngineError(
                f"{self.manifest.name} was opened before this process was forked; its threads stayed behind. "
                "Call lit_infer.load in this process, or start it with the spawn method"
            )

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            self._check_open()
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="lit-infer")
            return self._pool

    def _shared_batcher(self) -> Batcher[tuple[ImageInput, Ask], Prediction]:
        with self._lock:
            self._check_open()
            if self._batcher is None:
                self._batcher = Batcher(self._answer_submitted, policy=self.policy, workers=self.threads)
            return self._batcher


def load(
    model: str | os.PathLike[str],
    *,
    device: str = "auto",
    engine: str = "auto",
    threads: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    policy: BatchPolicy | None = None,
) -> Predictor:
    """Open a model: a bundle folder, a lone graph file, or a reference.

    `device`: auto, cpu, cuda or cuda:N; one that is asked for by name is obtained or refused with EngineError.
    `engine`: auto, or the format to run, as in "onnx"; `lit-infer explain MODEL` shows what was chosen and why.
    `threads`: cores to use, None for all that this process may use. `limits`: how large
    an image may be. `policy`: how `submit` batches. Engine, threads and batch size that are not given come from what
    `lit-bench tune` found for this model on this machine, if it was run.

    A bundle's graph file must have the sha256 of its manifest. Raises NotFoundError, ArtifactError, EngineError,
    MissingExtraError, UsageError.
    """
    graphs = bundle.find(model)
    tuned = settings.read(graphs[0].manifest) if graphs[0].manifest is not None else settings.NONE
    if engine == "auto" and tuned.engine is not None:
        engine = tuned.engine
    graph_file = bundle.choose(graphs, engine=engine)
    return open_predictor(
        graph_file,
        device=device,
        threads=tuned.threads if threads is None else threads,
        batch_size=tuned.batch_size or DEFAULT_BATCH_SIZE,
        limits=limits,
        policy=policy,
    )


def open_predictor(
    graph_file: bundle.GraphFile,
    *,
    device: str,
    threads: int | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    limits: Limits = DEFAULT_LIMITS,
    policy: BatchPolicy | None = None,
) -> Predictor:
    """Open one particular graph file of a model, as `load` does."""
    cores = _checked_threads(threads)
    graph, manifest = graph_file.open(device=check_device(device), threads=cores)
    predictor = Predictor(manifest, graph, threads=cores, batch_size=batch_size, limits=limits, policy=policy)
    predictor.path = graph_file.path
    return predictor


def from_onnx_bytes(
    data: bytes,
    *,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    limits: Limits = DEFAULT_LIMITS,
    policy: BatchPolicy | None = None,
) -> Predictor:
    """Open an ONNX graph that lit-export made from its bytes, for programs that carry the model inside them."""
    cores = _checked_threads(threads)
    graph = onnxruntime.open_graph(data, device=check_device(device), threads=cores)
    manifest = bundle.embedded_manifest(graph, where="the graph")
    return Predictor(manifest, graph, threads=cores, batch_size=batch_size, limits=limits, policy=policy)


def _checked_threads(threads: int | None) -> int:
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}")
    return threads or usable_cpus()


def _many(items: Iterable[ImageInput]) -> Iterable[ImageInput]:
    if isinstance(items, str | bytes | os.PathLike | Image.Image):
        raise UsageError("predict takes a list of items; put the one item in brackets")
    return items


def _bytes(item: ImageInput) -> int:
    """What an item that waits holds in memory."""
    if isinstance(item, bytes):
        return len(item)
    if isinstance(item, np.ndarray):
        return item.nbytes
    return item.width * item.height * len(item.getbands()) if isinstance(item, Image.Image) else 0
