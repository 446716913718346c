"""Instances of an open model, as Triton calls them: each answers one batch at a time. Here: threads of this process.

Instances in processes of their own are in `processes`.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Protocol

from PIL import Image

from lit_infer.answering import PreparedImage
from lit_infer.engines import engine_for_file
from lit_infer.errors import ArtifactError, EngineError, InputError, LitError
from lit_infer.images.limits import DEFAULT_LIMITS, Limits
from lit_infer.manifest import Manifest
from lit_infer.predictor import Predictor, load
from lit_infer.self_test import golden, self_test
from lit_infer.server.models.batches import Answered, Batches, Phase, Work
from lit_infer.server.models.open_limit import OpenLimit
from lit_infer.server.models.packed import unpacked
from lit_infer.tensors import NamedArrays

_BACK_OFF = (0.0, 0.1, 0.3, 1.0, 3.0)
_SELDOM_S = 10.0


@dataclass(frozen=True)
class LoadOptions:
    """How to open a model; the same as for `lit_infer.load`."""

    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    max_batch: int | None = None
    """None: the number of rows that `lit-bench tune` found best, otherwise the default: 8, or 64 of small rows."""
    limits: Limits = DEFAULT_LIMITS
    """Of images."""
    open_limit: OpenLimit | None = None
    """What opening may take; it is then tried in a process first."""


@dataclass(frozen=True)
class ModelDescription:
    """A description of an open model."""

    manifest: Manifest
    engine: str
    device: str
    file: str | None
    """The graph's file, if it has one."""
    batch_size: int
    """The number that `lit-bench tune` found, otherwise the default."""
    count: int
    """The number of batches that can run at once."""


class Instances(Protocol):
    """An open model."""

    @property
    def opened(self) -> ModelDescription:
        """The model's description."""

    @property
    def for_long(self) -> int:
        """How many batches of images that take long to decode may be under way, beside `opened.count` others."""

    def answer(self, works: Sequence[Work]) -> Answered:
        """Answer a batch; that many threads may call it at once. Raises EngineError when an instance is lost."""

    def phase(self, thread: int) -> Phase | None:
        """What a thread that called `answer` is doing, as far as it is known here."""

    def stop(self, thread: int) -> bool:
        """Stop the instance that a thread waits for in `answer`, which then raises EngineError. False: impossible."""

    def watch(self, on_loss: Callable[[Exception], None]) -> None:
        """Have `on_loss` called, from any thread, once all instances are lost."""

    def close(self) -> None:
        """Release threads, processes and memory. A second call does nothing."""


class InThreads:
    """Instances in this process: they run in the threads that call `answer`."""

    def __init__(self, predictor: Predictor, batches: Batches, *, count: int) -> None:
        self._predictor = predictor
        self.answer = batches.answer
        self.phase = batches.phase
        self.opened = ModelDescription(
            manifest=predictor.manifest,
            engine=predictor.engine,
            device=predictor.device,
            file=predictor.path.name if predictor.path else None,
            batch_size=predictor.batch_size,
            count=count,
        )
        self.for_long = count

    def stop(self, thread: int) -> bool:
        """False: a thread cannot be stopped."""
        del thread
        return False

    def watch(self, on_loss: Callable[[Exception], None]) -> None:
        """Does nothing: instances in this process cannot be lost."""

    def close(self) -> None:
        """Release the graph."""
        self._predictor.close()


def pauses() -> Iterator[float]:
    """Seconds to wait before each attempt to reopen what was lost; endless."""
    return chain(_BACK_OFF, repeat(_SELDOM_S))


def open_here(path: Path, options: LoadOptions, *, alone: bool = False) -> InThreads:
    """Open a model, check it against its golden answers and warm it up.

    One instance per thread; `alone`: a single one that uses all threads.
    Raises ArtifactError, EngineError, NotFoundError, MissingExtraError, UsageError.
    """
    found = load(
        path,
        device=options.device,
        engine=options.engine,
        precision=options.precision,
        threads=options.threads,
        limits=options.limits,
    )
    with _closed_on_failure(found) as predictor:
        _check_golden(path, predictor)
        run = predictor.sessions.for_one() if alone else predictor.sessions.for_many()
        max_batch = options.max_batch or predictor.batch_size
        known = _golden(predictor)
        batches = Batches(predictor.manifest, run, _preparing(predictor), max_batch=max_batch, golden=known)
        _warm_up(batches)
        _load_decoders(predictor)
        return InThreads(predictor, batches, count=1 if alone else predictor.threads)


def _preparing(predictor: Predictor) -> Callable[[bytes], PreparedImage]:
    """What makes the graph's pixels of an encoded image, or of several that are packed."""
    names = predictor.manifest.image_names
    return (lambda data: predictor.prepared(unpacked(data, names))) if names else predictor.prepared


@contextmanager
def _closed_on_failure(predictor: Predictor) -> Iterator[Predictor]:
    try:
        yield predictor
    except BaseException:
        predictor.close()
        raise


def _check_golden(path: Path, predictor: Predictor) -> None:
    """Raise ArtifactError unless the graph answers as the eager module did. A lone graph file cannot be checked."""
    if path.is_file() or predictor.path is None:
        return
    engine = engine_for_file(predictor.path).format
    tested = self_test(path, device=predictor.device, engine=engine)
    own = [graph for graph in tested.graphs if graph.file == predictor.path.name]
    if not own or own[0].status != "ok":
        reason = own[0].reason if own else "it was not tested"
        raise ArtifactError(f"{path}: {predictor.path.name} must not be served: {reason}")


def _golden(predictor: Predictor) -> NamedArrays | None:
    """The golden inputs of a tensor model's bundle: it may take neither zeros nor sides of length one."""
    described = predictor.manifest
    if described.spec.takes_images or described.golden is None or predictor.path is None:
        return None
    return golden(predictor.path.parent, described)[0]


def _warm_up(batches: Batches) -> None:
    try:
        batches.warm_up()
    except LitError:
        raise
    except Exception as error:  # an engine may raise anything
        raise EngineError(f"{batches.manifest.name} cannot run here: {type(error).__name__}: {error}") from error


def _load_decoders(predictor: Predictor) -> None:
    """Decode an image of each format: loading the decoders takes 0.1 s, which no client should wait for."""
    if not predictor.manifest.spec.takes_images:
        return
    height, width, _ = predictor.manifest.image_shape
    for format_ in ("JPEG", "PNG"):
        file = io.BytesIO()
        Image.new("RGB", (width, height)).save(file, format_)
        with suppress(InputError):
            predictor.prepare(file.getvalue())
