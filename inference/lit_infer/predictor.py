"""From images to predictions, in the order given: prepare on threads, run in batches, pick the top classes.

`load(model)` opens a bundle, `predict` answers for a list, `stream` for any iterable in bounded memory.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer import bundle, images
from lit_infer.engines import OpenGraph, check_device
from lit_infer.errors import InputError, UsageError
from lit_infer.hardware import DEFAULT_BATCH_SIZE, usable_cpus
from lit_infer.images import ImageInput, Pixels
from lit_infer.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Choice:
    """One class and its probability."""

    label: str
    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one image. Either `error` and `code` are set, or everything else is."""

    path: str | None
    """The path that was given; None for bytes, PIL images and arrays."""
    label: str | None = None
    index: int | None = None
    score: float | None = None
    """Probability of the best class, 0 to 1."""
    top: tuple[Choice, ...] = ()
    """The `top_k` best classes, best first."""
    error: str | None = None
    code: str | None = None
    """Stable name of the error, e.g. "empty", "not_found", "too_many_pixels"."""


class Predictor:
    """A model, ready to answer. Make one with `load`; threads may share it."""

    def __init__(self, manifest: Manifest, graph: OpenGraph, *, threads: int) -> None:
        self.manifest = manifest
        self.device = graph.device
        self.engine = graph.engine
        self.threads = threads
        self._run = graph.run

    def predict(
        self, items: Iterable[ImageInput], *, top_k: int = 5, batch_size: int = DEFAULT_BATCH_SIZE
    ) -> list[Prediction]:
        """Predict each item: a path, encoded bytes, a PIL image, or uint8 [height, width(, 1 or 3)] in RGB.

        The list is in the order of the items. An item that cannot be read gets `error` and `code`; its
        neighbours' results are what they are without it.
        """
        return list(self.stream(items, top_k=top_k, batch_size=batch_size))

    def stream(
        self, items: Iterable[ImageInput], *, top_k: int = 5, batch_size: int = DEFAULT_BATCH_SIZE
    ) -> Iterator[Prediction]:
        """As `predict`, one by one and in order, holding at most two batches of images at a time."""
        if top_k < 1 or batch_size < 1:
            raise UsageError(f"top_k and batch_size must be at least 1, not {top_k} and {batch_size}")
        if self.manifest.task != "image-classification":
            raise UsageError(f"{self.manifest.name} is for task {self.manifest.task}: use Predictor.run")
        if isinstance(items, str | bytes | os.PathLike):
            raise UsageError("predict takes a list of items; put the one item in brackets")
        source = iter(items)
        with ThreadPoolExecutor(self.threads, thread_name_prefix="lit-prepare") as pool:
            ahead: deque[tuple[ImageInput, Future[Pixels | InputError]]] = deque()

            def fill() -> None:
                for item in islice(source, batch_size - len(ahead)):
                    ahead.append((item, pool.submit(self._prepare, item)))

            try:
                fill()
                while ahead:
                    batch = [ahead.popleft() for _ in range(min(batch_size, len(ahead)))]
                    prepared = [(item, future.result()) for item, future in batch]
                    fill()  # the pool prepares the next images while this batch runs
                    yield from self._answer(prepared, top_k)
            finally:
                for _, future in ahead:
                    future.cancel()

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the bare graph: arrays by input name, in the manifest's shapes and dtypes; outputs by name."""
        expected = {tensor.name for tensor in self.manifest.inputs}
        if set(inputs) != expected:
            raise UsageError(f"the graph takes {', '.join(sorted(expected))}, not {', '.join(sorted(inputs))}")
        for tensor in self.manifest.inputs:
            array = inputs[tensor.name]
            fits = len(array.shape) == len(tensor.shape) and all(
                isinstance(want, str) or want == have for want, have in zip(tensor.shape, array.shape, strict=True)
            )
            if array.dtype != tensor.dtype or not fits:
                raise UsageError(
                    f"input {tensor.name} is {tensor.dtype} {list(tensor.shape)}, not {array.dtype} {list(array.shape)}"
                )
        outputs = self._run([inputs[tensor.name] for tensor in self.manifest.inputs])
        return {tensor.name: array for tensor, array in zip(self.manifest.outputs, outputs, strict=True)}

    def prepare(self, item: ImageInput) -> Pixels:
        """One image as the graph takes it: uint8 [height, width, channels]. Raises InputError."""
        _, _, channels = self.manifest.image_shape
        return images.prepare(item, steps=self.manifest.preprocess, channels=channels)

    def _prepare(self, item: ImageInput) -> Pixels | InputError:
        try:
            return self.prepare(item)
        except InputError as error:
            return error

    def _answer(self, batch: Sequence[tuple[ImageInput, Pixels | InputError]], top_k: int) -> Iterator[Prediction]:
        tensor = self.manifest.inputs[0]
        # A bad item keeps its place, as zeros, so that its neighbours' arithmetic does not change.
        pixels = np.zeros((len(batch), *self.manifest.image_shape), dtype=np.uint8)
        for place, (_, prepared) in enumerate(batch):
            if not isinstance(prepared, InputError):
                pixels[place] = prepared
        if all(isinstance(prepared, InputError) for _, prepared in batch):
            scores = np.zeros((len(batch), 1), dtype=np.float32)
        else:
            scores = self.run({tensor.name: pixels})[self.manifest.outputs[0].name]
        for (item, prepared), row in zip(batch, scores, strict=True):
            path = os.fspath(item) if isinstance(item, str | os.PathLike) else None
            if isinstance(prepared, InputError):
                yield Prediction(path, error=str(prepared), code=prepared.code)
            else:
                yield self._prediction(path, row, top_k)

    def _prediction(self, path: str | None, row: NDArray[np.float32], top_k: int) -> Prediction:
        top = top_choices(row, labels=self.manifest.labels, top_k=top_k)
        return Prediction(path, label=top[0].label, index=top[0].index, score=top[0].score, top=top)


def top_choices(scores: NDArray[np.float32], *, labels: Sequence[str] | None, top_k: int) -> tuple[Choice, ...]:
    """The best classes of one row of scores [classes], best first; of equal scores the lower index first."""
    order = np.argsort(-scores, kind="stable")[:top_k]
    return tuple(Choice(labels[i] if labels else str(i), int(i), float(scores[i])) for i in order)


def load(model: str | os.PathLike[str], *, device: str = "auto", threads: int | None = None) -> Predictor:
    """Open a model: a bundle folder, a lone graph file, or a reference.

    `device`: auto, cpu, cuda or cuda:N; one that is asked for by name is obtained or refused with EngineError.
    `threads`: cores to use, None for all that this process may use. A bundle's graph file must have the
    sha256 of its manifest. Raises NotFoundError, ArtifactError, EngineError, MissingExtraError.
    """
    graph_file = bundle.choose(bundle.find(model))
    return open_predictor(graph_file, device=device, threads=threads)


def open_predictor(graph_file: bundle.GraphFile, *, device: str, threads: int | None = None) -> Predictor:
    """Open one particular graph file of a model, as `load` does."""
    cores = threads or usable_cpus()
    graph, manifest = graph_file.open(device=check_device(device), threads=cores)
    return Predictor(manifest, graph, threads=cores)
