"""A model that is open, as often as it answers batches at once: Triton's instances. Here, in threads of this process.

`processes` has those that are in processes of their own.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Protocol

from PIL import Image

from lit_infer.engines import engine_for_file
from lit_infer.errors import ArtifactError, EngineError, InputError, LitError
from lit_infer.manifest import Manifest
from lit_infer.predictor import Predictor, load
from lit_infer.self_test import self_test
from lit_infer.server.models.batches import Answered, Batches, Work

_BACK_OFF = (0.0, 0.1, 0.3, 1.0, 3.0)
_SELDOM_S = 10.0


@dataclass(frozen=True)
class Wanted:
    """How a model is to be opened, as `lit_infer.load` has it."""

    device: str = "auto"
    engine: str = "auto"
    threads: int | None = None
    max_batch: int | None = None
    """None: as many rows as `lit-bench tune` found best, else 8."""


@dataclass(frozen=True)
class Opened:
    """What was opened."""

    manifest: Manifest
    engine: str
    device: str
    file: str | None
    """The graph's, if it has one."""
    batch_size: int
    """What `lit-bench tune` found, else the default."""
    count: int
    """Batches that it answers at once."""


class Instances(Protocol):
    """An open model."""

    @property
    def opened(self) -> Opened:
        """What it is."""

    def answer(self, works: Sequence[Work]) -> Answered:
        """Answer a batch; as many threads may call as there are instances. Raises EngineError when one is lost."""

    def watch(self, on_loss: Callable[[Exception], None]) -> None:
        """Call from some thread when all instances are lost."""

    def close(self) -> None:
        """Give threads, processes and memory back. A second call does nothing."""


class InThreads:
    """Instances in threads of this process: of whoever calls `answer`."""

    def __init__(self, predictor: Predictor, batches: Batches, *, count: int) -> None:
        self._predictor = predictor
        self.answer = batches.answer
        self.opened = Opened(
            manifest=predictor.manifest,
            engine=predictor.engine,
            device=predictor.device,
            file=predictor.path.name if predictor.path else None,
            batch_size=predictor.batch_size,
            count=count,
        )

    def watch(self, on_loss: Callable[[Exception], None]) -> None:
        """Threads of this process are not lost."""

    def close(self) -> None:
        """Let go of the graph."""
        self._predictor.close()


def pauses() -> Iterator[float]:
    """Seconds before each attempt to open again what was lost. There is always another."""
    return chain(_BACK_OFF, repeat(_SELDOM_S))


def open_here(path: Path, wanted: Wanted, *, alone: bool = False) -> InThreads:
    """A model, checked against its golden answers and warm.

    One instance for each thread; `alone`: one on all of them.
    Raises ArtifactError, EngineError, NotFoundError, MissingExtraError, UsageError.
    """
    found = load(path, device=wanted.device, engine=wanted.engine, threads=wanted.threads)
    with _closed_on_failure(found) as predictor:
        _check_golden(path, predictor)
        run = predictor.sessions.for_one() if alone else predictor.sessions.for_many()
        max_batch = wanted.max_batch or predictor.batch_size
        batches = Batches(predictor.manifest, run, predictor.prepare, max_batch=max_batch)
        _warm_up(batches)
        _load_decoders(predictor)
        return InThreads(predictor, batches, count=1 if alone else predictor.threads)


@contextmanager
def _closed_on_failure(predictor: Predictor) -> Iterator[Predictor]:
    try:
        yield predictor
    except BaseException:
        predictor.close()
        raise


def _check_golden(path: Path, predictor: Predictor) -> None:
    """The graph that will serve answers as the eager module did. A lone graph file has nothing to be compared with."""
    if path.is_file() or predictor.path is None:
        return
    engine = engine_for_file(predictor.path).format
    tested = self_test(path, device=predictor.device, engine=engine)
    own = [graph for graph in tested.graphs if graph.file == predictor.path.name]
    if not own or own[0].status != "ok":
        reason = own[0].reason if own else "it was not tested"
        raise ArtifactError(f"{path}: {predictor.path.name} is not to be served: {reason}")


def _warm_up(batches: Batches) -> None:
    try:
        batches.warm_up()
    except LitError:
        raise
    except Exception as error:  # an engine may raise anything
        raise EngineError(f"{batches.manifest.name} cannot run here: {type(error).__name__}: {error}") from error


def _load_decoders(predictor: Predictor) -> None:
    """The first image that is decoded pays for loading the decoders, a tenth of a second: not a client's."""
    if not predictor.manifest.spec.takes_images:
        return
    height, width, _ = predictor.manifest.image_shape
    for format_ in ("JPEG", "PNG"):
        file = io.BytesIO()
        Image.new("RGB", (width, height)).save(file, format_)
        with suppress(InputError):
            predictor.prepare(file.getvalue())
