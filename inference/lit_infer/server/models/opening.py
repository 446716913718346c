"""From a source to a model that may be served, and how long it stays open."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lit_infer.batching.batcher import BatchPolicy
from lit_infer.manifest import Manifest
from lit_infer.server.models import sources
from lit_infer.server.models.instances import Instances, Opened, Wanted, open_here
from lit_infer.server.models.runner import Runner
from lit_infer.server.models.sources import Located, Source
from lit_infer.server.models.stats import Stats


@dataclass(frozen=True)
class Opening(Wanted):
    """How models are opened, and how their requests wait."""

    max_delay: float = 0.0
    max_items: int = 1024
    max_bytes: int = 256 * 2**20
    processes: int = 0
    """In so many processes of its own; 0: in threads of this one."""

    def instances(self, path: Path) -> Instances:
        """The model, open. Raises what `open_here` raises."""
        if not self.processes:
            return open_here(path, self)
        from lit_infer.server.models import processes  # which most servers do without

        return processes.open_apart(path, self, self.processes)

    def policy(self, opened: Opened) -> BatchPolicy:
        """How this model's requests are batched."""
        size = self.max_batch or opened.batch_size
        return BatchPolicy(size, self.max_delay, max_items=self.max_items, max_bytes=self.max_bytes)


class Served:
    """One version of one model, open and proven. Requests hold it with `held`; `close` waits for them."""

    def __init__(self, name: str, located: Located, instances: Instances, runner: Runner) -> None:
        self.name = name
        self.version = located.version
        self.digest = located.digest
        self.opened = instances.opened
        self.runner = runner
        self.stats = runner.stats
        self._instances = instances
        self._holders = 0
        self._closing = False
        self._changed = threading.Condition()

    @property
    def manifest(self) -> Manifest:
        """What the model is."""
        return self.opened.manifest

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
        """Let those who hold it finish, then give threads, processes and memory back."""
        with self._changed:
            self._closing = True
            self._changed.wait_for(lambda: self._holders == 0)
        self.runner.close()
        self._instances.close()


OnDeath = Callable[[Exception], None]


def open_model(source: Source, opening: Opening, *, stats: Stats, on_death: OnDeath) -> Served:
    """A model, ready for requests. Raises ArtifactError, EngineError, NotFoundError, MissingExtraError."""
    located = sources.fetch(source)
    instances = opening.instances(located.path)
    try:
        name = sources.check_name(source.name or instances.opened.manifest.name)
        runner = Runner(instances, policy=opening.policy(instances.opened), stats=stats, on_death=on_death)
        return Served(name, located, instances, runner)
    except BaseException:
        instances.close()
        raise
