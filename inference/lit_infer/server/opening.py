"""From a source to a model that may be served: load it, check it against its golden answers, warm it up."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from PIL import Image

from lit_infer.batcher import BatchPolicy
from lit_infer.engines import engine_for_file
from lit_infer.errors import ArtifactError, EngineError, InputError, LitError
from lit_infer.manifest import Manifest
from lit_infer.predictor import Predictor, load
from lit_infer.self_test import self_test
from lit_infer.server import sources
from lit_infer.server.runner import Runner
from lit_infer.server.sources import Located, Source
from lit_infer.server.stats import Stats


@dataclass(frozen=True)
class Opening:
    """How models are opened."""

    device: str = "auto"
    engine: str = "auto"
    threads: int | None = None
    max_batch: int | None = None
    """None: as `lit-bench tune` found for the model here, else 8."""
    max_delay: float = 0.0
    max_items: int = 1024
    max_bytes: int = 256 * 2**20

    def policy(self, predictor: Predictor) -> BatchPolicy:
        """How this model's requests are batched."""
        size = self.max_batch or predictor.batch_size
        return BatchPolicy(size, self.max_delay, max_items=self.max_items, max_bytes=self.max_bytes)


class Served:
    """One version of one model, open and proven. Requests hold it with `held`; `close` waits for them."""

    def __init__(self, name: str, located: Located, predictor: Predictor, runner: Runner, stats: Stats) -> None:
        self.name = name
        self.version = located.version
        self.digest = located.digest
        self.predictor = predictor
        self.runner = runner
        self.stats = stats
        self._holders = 0
        self._closing = False
        self._changed = threading.Condition()

    @property
    def manifest(self) -> Manifest:
        """What the model is."""
        return self.predictor.manifest

    def count_in(self, stats: Stats) -> None:
        """Go on counting where another opening of this version stopped. To be called before the first request."""
        self.stats = self.runner.stats = stats

    def hold(self) -> bool:
        """Keep it open until `release`; False where it is closing already."""
        with self._changed:
            if self._closing:
                return False
            self._holders += 1
            return True

    def release(self) -> None:
        """The opposite of `hold`."""
        with self._changed:
            self._holders -= 1
            if self._closing:
                self._changed.notify_all()

    def close(self) -> None:
        """Let those who hold it finish, then give threads and memory back."""
        with self._changed:
            self._closing = True
            self._changed.wait_for(lambda: self._holders == 0)
        self.runner.close()
        self.predictor.close()


OnDeath = Callable[[Exception], None]


def open_model(source: Source, opening: Opening, *, stats: Stats, on_death: OnDeath) -> Served:
    """A model, ready for requests. Raises ArtifactError, EngineError, NotFoundError, MissingExtraError."""
    located = sources.fetch(source)
    with _closed_on_failure(_load(located, opening)) as predictor:
        _check_golden(located, predictor)
        runner = Runner(
            predictor,
            predictor.sessions.for_many(),
            policy=opening.policy(predictor),
            stats=stats,
            on_death=on_death,
        )
        _warm_up(runner)
        _load_decoders(predictor)
        name = sources.check_name(source.name or predictor.manifest.name)
        return Served(name, located, predictor, runner, stats)


def _load(located: Located, opening: Opening) -> Predictor:
    return load(located.path, device=opening.device, engine=opening.engine, threads=opening.threads)


@contextmanager
def _closed_on_failure(predictor: Predictor) -> Iterator[Predictor]:
    try:
        yield predictor
    except BaseException:
        predictor.close()
        raise


def _check_golden(located: Located, predictor: Predictor) -> None:
    """The graph that will serve answers as the eager module did. A lone graph file has nothing to be compared with."""
    if located.path.is_file() or predictor.path is None:
        return
    engine = engine_for_file(predictor.path).format
    tested = self_test(located.path, device=predictor.device, engine=engine)
    own = [graph for graph in tested.graphs if graph.file == predictor.path.name]
    if not own or own[0].status != "ok":
        reason = own[0].reason if own else "it was not tested"
        raise ArtifactError(f"{located.path}: {predictor.path.name} is not to be served: {reason}")


def _warm_up(runner: Runner) -> None:
    try:
        runner.warm_up()
    except LitError:
        raise
    except Exception as error:  # an engine may raise anything
        raise EngineError(f"{runner.manifest.name} cannot run here: {type(error).__name__}: {error}") from error


def _load_decoders(predictor: Predictor) -> None:
    """The first image that is decoded pays for loading the decoders, a tenth of a second: not a client's."""
    if predictor.manifest.task == "tensor":
        return
    height, width, _ = predictor.manifest.image_shape
    for format_ in ("JPEG", "PNG"):
        file = io.BytesIO()
        Image.new("RGB", (width, height)).save(file, format_)
        with suppress(InputError):
            predictor.prepare(file.getvalue())
