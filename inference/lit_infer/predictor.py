"""From images to predictions: prepare on threads, run in batches, pick the top classes.

`load(model)` opens a bundle. `predict` answers for a list, `stream` for any iterable in bounded memory, `submit` for
single items from many callers, `run` for bare arrays.
"""

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

from msgspec import structs
from numpy.typing import NDArray

from lit_infer import bundle, opening, tiling
from lit_infer.answering import PreparedImage, Recipe, answer, held_bytes, many, prepare, recipe
from lit_infer.batching import streaming
from lit_infer.batching.batcher import Batcher, BatchPolicy
from lit_infer.batching.sessions import Sessions
from lit_infer.batching.sizes import check_images, images_per_run, is_joined
from lit_infer.engines import OpenGraph, Run
from lit_infer.errors import EngineError, InputError, UsageError
from lit_infer.hardware import DEFAULT_BATCH_SIZE
from lit_infer.images import ImageInput, Pixels
from lit_infer.images.limits import DEFAULT_LIMITS, Limits
from lit_infer.images.tiles import Tiles, check_view
from lit_infer.manifest import Manifest, check_one_image
from lit_infer.predictions import Prediction, Timings
from lit_infer.rows.answering import AnsweredRows, RowRecipe, answer_block, answer_rows, row_recipe
from lit_infer.rows.blocks import HasRows
from lit_infer.tasks import Ask, Choice
from lit_infer.tasks.choices import top_choices
from lit_infer.tensors import in_order

__all__ = [
    "BatchPolicy",
    "Choice",
    "Limits",
    "Prediction",
    "Predictor",
    "Tiles",
    "Timings",
    "from_onnx_bytes",
    "load",
    "open_predictor",
    "top_choices",
]


B = TypeVar("B", bound=HasRows)
PredictorInput = ImageInput | Mapping[str, Any]
"""An image; or a row, its values by name; or several images by name."""


class Predictor:
    """A model, ready to answer. Make one with `load`; any number of threads may share it.

    It belongs to the process that opened it: after a fork its calls raise EngineError, and it cannot be pickled.
    `close` it, or use it in a `with` statement, to release its threads and memory when you choose.
    """

    def __init__(  # noqa: PLR0913 - as load
        self,
        manifest: Manifest,
        graph: OpenGraph,
        *,
        threads: int,
        batch_size: int = DEFAULT_BATCH_SIZE,
        limits: Limits = DEFAULT_LIMITS,
        policy: BatchPolicy | None = None,
        tiles: Tiles | bool = True,
    ) -> None:
        self.manifest = manifest
        self.tiles = _tiles(manifest, tiles)
        """How images are cut; None: each is prepared as a whole."""
        self.device = graph.device
        self.engine = graph.engine
        self.threads = threads
        self.batch_size = images_per_run(manifest, batch_size)
        self.limits = limits
        policy = policy or BatchPolicy(max_batch=self.batch_size)
        self.policy = replace(policy, max_batch=1) if is_joined(manifest) else policy
        self.path: Path | None = None
        """The graph's file; None for a graph from bytes."""
        self.sessions = Sessions(graph, threads=threads, inputs=manifest.inputs)
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._batcher: Batcher[tuple[PredictorInput, Ask], Prediction] | None = None
        self._closed = False

    @property
    def folder(self) -> Path | None:
        """The bundle's folder; None for a graph from bytes."""
        return None if self.path is None else self.path.parent

    def predict(  # noqa: PLR0913 - each is a choice of its own
        self,
        items: Iterable[PredictorInput],
        *,
        top_k: int = 5,
        threshold: float | None = None,
        batch_size: int | None = None,
        timings: bool = False,
        output: bool = False,
        limits: Limits | None = None,
    ) -> list[Prediction]:
        """Predict each item: a path, encoded bytes (any kind) or an open file of them, a PIL image, or uint8
        [height, width(, 1 or 3)] in RGB. A URL is an error that says so. Of a model that takes several images an
        item is a mapping from their names to them. Of one that takes none it is a row: a mapping from the names of its
        values to them, or a text.

        The list is in the order of the items. An item that cannot be read gets `error` and `code`; its
        neighbours' results are bit for bit the same as without it. `threshold`: a label needs at least this score.
        `output`: each prediction has its row of the graph's first output, unchanged.

        Up to one batch of items runs on all threads together, for the least latency; more are streamed. Raises
        UsageError for arguments that make no sense.
        """
        size = self._checked_size(batch_size, top_k, threshold)
        source: Iterator[Any] = iter(many(items))
        ask = Ask(top_k, timings, limits or self.limits, threshold, output)
        if self._in_tiles is not None:
            return list(self._stream(source, size, ask))
        window = self._window(size)
        first = list(islice(source, window + 1))
        if len(first) > window:
            return list(self._stream(chain(first, source), size, ask))
        if isinstance(self._recipe, RowRecipe):
            return self._answer(first, [ask] * len(first), self.sessions.for_one(), size)
        prepare_all = self._threads().map if len(first) > 1 and self.threads > 1 else map
        to = self._recipe
        prepared = list(prepare_all(lambda item: prepare(item, to, ask.limits), first))
        return answer(first, prepared, [ask] * len(first), to=to, run=self.sessions.for_one())

    def stream(  # noqa: PLR0913 - as predict
        self,
        items: Iterable[PredictorInput],
        *,
        top_k: int = 5,
        threshold: float | None = None,
        batch_size: int | None = None,
        timings: bool = False,
        output: bool = False,
        limits: Limits | None = None,
    ) -> Iterator[Prediction]:
        """As `predict`, one by one and in order, for an iterable of any length.

        Holds at most `threads` + 1 batches of items at a time, and takes none before the first result is asked for.
        Each thread prepares and runs batches of its own: all cores are busy, and no images pass between threads.
        """
        size = self._checked_size(batch_size, top_k, threshold)
        return self._stream(iter(many(items)), size, Ask(top_k, timings, limits or self.limits, threshold, output))

    def stream_rows(
        self, blocks: Iterator[B], *, ask: Ask, batch_size: int | None = None, alone: bool = False
    ) -> Iterator[tuple[B, AnsweredRows]]:
        """Each block with the answers of its rows, in order; blocks are answered on `threads` threads.

        `alone`: one block at a time, on all threads together. Memory is bounded as in `stream`.
        """
        size, to = self._checked_size(batch_size, ask.top_k, ask.threshold), self._recipe
        if not isinstance(to, RowRecipe):
            raise UsageError(f"{self.manifest.name} takes images, not rows")
        run = self.sessions.for_one() if alone else self.sessions.for_many()

        def answered(block: B) -> list[tuple[B, AnsweredRows]]:
            return [(block, answer_block(block.rows, ask, to=to, run=run, size=size))]

        if alone:
            return chain.from_iterable(map(answered, blocks))
        return streaming.in_order(blocks, 1, lambda found: self._threads().submit(answered, found[0]), self.threads)

    def rows_per_block(self, batch_size: int | None = None) -> int:
        """How many rows `stream_rows` is best given at once."""
        size = self.batch_size if batch_size is None else batch_size
        return self._recipe.block(size) if isinstance(self._recipe, RowRecipe) else size

    def submit(
        self,
        item: PredictorInput,
        *,
        top_k: int = 5,
        threshold: float | None = None,
        timings: bool = False,
        timeout: float | None = None,
    ) -> Future[Prediction]:
        """Predict one item in a batch with those that other threads submit meanwhile.

        The future gives the prediction, with `error` and `code` if the item cannot be read, or raises ExpiredError
        if its batch has not begun after `timeout` seconds. If it is cancelled before that, the item is dropped. Raises
        OverloadedError at once when the queue is full; `load(policy=...)` sets its limits and the batching.
        """
        self._checked_size(None, top_k, threshold)
        ask = Ask(top_k, timings, self.limits, threshold)
        batcher = self._batcher or self._shared_batcher()
        return batcher.submit((item, ask), size=held_bytes(item), timeout=timeout)

    async def apredict(
        self,
        items: Iterable[PredictorInput],
        *,
        top_k: int = 5,
        threshold: float | None = None,
        timings: bool = False,
        timeout: float | None = None,
    ) -> list[Prediction]:
        """As `predict`, from asyncio: items of all tasks are batched together, as by `submit`.

        A call has at most a few batches of its own under way. Cancelling it drops its items that are still waiting.
        """
        return await streaming.gather(
            many(items),
            lambda item: self.submit(item, top_k=top_k, threshold=threshold, timings=timings, timeout=timeout),
            most=self.policy.max_batch * (self.threads + 1),
        )

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the bare graph: arrays by input name, in the manifest's shapes and dtypes; outputs by name."""
        self._check_open()
        arrays = in_order(inputs, self.manifest)
        outputs = self.sessions.for_one()(arrays)
        return {tensor.name: array for tensor, array in zip(self.manifest.outputs, outputs, strict=True)}

    def prepare(self, item: ImageInput) -> Pixels:
        """One image as the graph takes it: uint8 [height, width, channels]. Raises InputError.

        Of a model that takes several images this is any one of them.
        """
        to = self._recipe
        if isinstance(to, Recipe) and to.names:
            return self._checked(prepare(item, structs.replace(to, names=()), self.limits)).pixels
        return self.prepared(item).pixels

    def prepared(self, item: ImageInput | Mapping[str, ImageInput]) -> PreparedImage:
        """The same, with what is known of the image. Raises InputError."""
        to = self._recipe
        if isinstance(to, RowRecipe):
            raise UsageError(f"{self.manifest.name} takes rows, not images")
        return self._checked(prepare(item, to, self.limits))

    @staticmethod
    def _checked(prepared: PreparedImage | InputError) -> PreparedImage:
        if isinstance(prepared, InputError):
            raise prepared
        return prepared

    def tiles_words(self) -> str:
        """How images are cut, and answers merged, in words."""
        if self.tiles is None:
            return "none: each image is prepared as a whole"
        merge = self.manifest.spec.check_tiles(self.tiles, self.manifest.reading)
        return f"{self.tiles.describe()}, merged by {merge}"

    def close(self) -> None:
        """Answer what was submitted, then release threads and memory. A second call does nothing."""
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

    def _stream(self, source: Iterator[PredictorInput], size: int, ask: Ask) -> Iterator[Prediction]:
        run = self.sessions.for_many()
        if (cutting := self._in_tiles) is not None:
            tiling.check_ask(ask, self.manifest.name)
            asked = ((item, ask) for item in source)
            return tiling.predictions(asked, cutting, run=run, size=size, pool=self._threads(), ahead=self.threads)

        def start(batch: Sequence[PredictorInput]) -> Future[list[Prediction]]:
            return self._threads().submit(self._answer, batch, [ask] * len(batch), run, size)

        return streaming.in_order(source, self._window(size), start, self.threads)

    def _window(self, size: int) -> int:
        """Items to take at once where batches have `size`."""
        return self._recipe.window(size) if isinstance(self._recipe, RowRecipe) else size

    def _answer(self, items: Sequence[Any], asks: Sequence[Ask], run: Run, size: int | None = None) -> list[Prediction]:
        to = self._recipe
        if isinstance(to, RowRecipe):
            return answer_rows(to.fields.block(items), asks, to=to, run=run, size=size)
        if (cutting := self._in_tiles) is not None:
            asked = zip(items, asks, strict=True)
            return list(tiling.predictions(asked, cutting, run=run, size=size or self.batch_size))
        prepared = [prepare(item, to, ask.limits) for item, ask in zip(items, asks, strict=True)]
        return answer(items, prepared, asks, to=to, run=run)

    def _answer_submitted(self, batch: Sequence[tuple[PredictorInput, Ask]]) -> list[Prediction]:
        items, asks = zip(*batch, strict=True)
        return self._answer(items, asks, self.sessions.for_many())

    @cached_property
    def _recipe(self) -> Recipe | RowRecipe:
        if self.manifest.spec.takes_images:
            return recipe(self.manifest)
        return row_recipe(self.manifest, self.folder)

    @cached_property
    def _in_tiles(self) -> tiling.TileRecipe | None:
        to = self._recipe
        if self.tiles is None or isinstance(to, RowRecipe):
            return None
        return tiling.tile_recipe(to, self.tiles)

    def _checked_size(self, batch_size: int | None, top_k: int, threshold: float | None = None) -> int:
        self._check_open()
        size = self.batch_size if batch_size is None else batch_size
        if top_k < 1 or size < 1:
            raise UsageError(f"top_k and batch_size must be at least 1, not {top_k} and {size}")
        task = self._recipe.task  # raises for a model that takes neither images nor rows
        check_images(self.manifest, size)
        task.check_threshold(threshold, self._recipe.reading, name=self.manifest.name)
        return size

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError(f"{self.manifest.name} is closed: load it again")
        if self.sessions.is_foreign():
            raise EngineError(
                f"{self.manifest.name} was opened before this process was forked; its threads do not exist here. "
                "Call lit_infer.load in this process, or start it with the spawn method"
            )

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            self._check_open()
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="lit-infer")
            return self._pool

    def _shared_batcher(self) -> Batcher[tuple[PredictorInput, Ask], Prediction]:
        with self._lock:
            self._check_open()
            if self._batcher is None:
                self._batcher = Batcher(self._answer_submitted, policy=self.policy, workers=self.threads)
            return self._batcher


def load(  # noqa: PLR0913 - each is a choice of its own
    model: str | os.PathLike[str],
    *,
    device: str = "auto",
    engine: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    policy: BatchPolicy | None = None,
    tiles: Tiles | bool = True,
) -> Predictor:
    """Open a model: a bundle folder, a lone graph file, or a reference.

    What is named is used or refused; `lit-infer explain MODEL` shows what was chosen and why.
    `device`: auto, cpu, cuda or cuda:N. `engine`: auto, the format to run, as in "onnx", or one of onnxruntime's
    providers: "onnx:cpu", "onnx:cuda", "onnx:tensorrt", "onnx:openvino". `precision`: auto, which prefers fp32, fp32,
    fp16, bf16 or int8; auto:int8 is int8 where the bundle has it, else fp32. `threads`: cores to use, None for all that
    this process may use. `limits`: how large an image may be. `policy`: how `submit` batches. What is not named is what
    `lit-bench tune` found for this model on this machine, if it was run. `tiles`: how images are cut; True: as the
    model's deployment facts say, if they do; False: each is prepared as a whole.

    A bundle's graph file must have the sha256 of its manifest. Raises NotFoundError, ArtifactError, EngineError,
    MissingExtraError, UsageError.
    """
    graph_file, tuned = opening.choose(model, device=device, engine=engine, precision=precision)
    return open_predictor(
        graph_file,
        device=device,
        threads=tuned.threads if threads is None else threads,
        batch_size=tuned.batch_size,
        limits=limits,
        policy=policy,
        tiles=tiles,
    )


def open_predictor(  # noqa: PLR0913 - as load
    graph_file: bundle.GraphFile,
    *,
    device: str,
    threads: int | None = None,
    batch_size: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    policy: BatchPolicy | None = None,
    tiles: Tiles | bool = True,
) -> Predictor:
    """Open one particular graph file of a model, as `load` does."""
    opened = opening.open_file(graph_file, device=device, threads=threads, batch_size=batch_size)
    return _predictor(opened, limits, policy, tiles, is_usual=batch_size is None)


def from_onnx_bytes(  # noqa: PLR0913 - as load
    data: bytes,
    *,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    policy: BatchPolicy | None = None,
    tiles: Tiles | bool = True,
) -> Predictor:
    """Open an ONNX graph made by lit-export from its bytes, for programs that carry the model inside them."""
    opened = opening.open_bytes(data, device=device, threads=threads, batch_size=batch_size)
    return _predictor(opened, limits, policy, tiles, is_usual=batch_size is None)


def _tiles(manifest: Manifest, wanted: Tiles | bool) -> Tiles | None:
    """As the facts say, none, or those; refused at once for a model that takes none."""
    if isinstance(wanted, bool):
        return manifest.tiles if wanted else None
    if wanted.merge is None and manifest.tiles is not None:
        wanted = structs.replace(wanted, merge=manifest.tiles.merge)
    try:
        manifest.spec.check_tiles(wanted, manifest.reading)
        check_view(wanted, manifest.preprocess)
        check_one_image(wanted, manifest.image_names)
    except ValueError as error:
        raise UsageError(f"{manifest.name}: {error}") from None
    return wanted


def _predictor(
    opened: opening.Opened, limits: Limits, policy: BatchPolicy | None, tiles: Tiles | bool, *, is_usual: bool
) -> Predictor:
    """`is_usual`: nobody has said how many images, or tiles, are run together."""
    size, manifest = opened.batch_size, opened.manifest
    if is_usual and opened.graph.device == "cpu" and _tiles(manifest, tiles) is not None:
        size = min(size, tiling.usual_batch(manifest))
    predictor = Predictor(
        manifest,
        opened.graph,
        threads=opened.threads,
        batch_size=size,
        limits=limits,
        policy=policy,
        tiles=tiles,
    )
    predictor.path = opened.path
    return predictor
