"""From a source to a model that may be served, and until when it stays open."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lit_infer import bundle, settings
from lit_infer.answering import recipe
from lit_infer.batching.batcher import BatchPolicy
from lit_infer.batching.sizes import is_batched
from lit_infer.images.limits import DEFAULT_LIMITS, Limits
from lit_infer.manifest import Manifest
from lit_infer.rows.fields import Fields, fields_of
from lit_infer.server.models import memory, sources
from lit_infer.server.models.hanging import HangLimits
from lit_infer.server.models.instances import Instances, LoadOptions, ModelDescription, open_here
from lit_infer.server.models.runner import Runner
from lit_infer.server.models.sources import Located, ModelSource
from lit_infer.server.models.stats import Stats
from lit_infer.tiling import TileRecipe, tile_recipe


@dataclass(frozen=True)
class Opening(LoadOptions):
    """How models are opened, and how their requests are queued."""

    max_delay: float = 0.0
    max_items: int = 1024
    max_bytes: int = 256 * 2**20
    processes: int | None = 0
    """The number of processes per model; 0: threads of this process. None: what `lit-bench tune --serve` found."""
    hang_limits: HangLimits = field(default_factory=HangLimits)

    def instances(self, path: Path) -> Instances:
        """Open a model. Raises what `open_here` raises."""
        count = _tuned_processes(path) if self.processes is None else self.processes
        if not count and self.open_limit is None:
            return open_here(path, self)
        from lit_infer.server.models import processes  # most servers do not need it

        if not count:
            processes.try_open(path, self)
            return open_here(path, self)
        return processes.open_isolated(path, self, count)

    def policy(self, opened: ModelDescription) -> BatchPolicy:
        """How the model's requests are batched. Those that cannot be joined are left to the next free instance."""
        size = (self.max_batch or opened.batch_size) if is_batched(opened.manifest) else 1
        return BatchPolicy(size, self.max_delay, max_items=self.max_items, max_bytes=self.max_bytes)


class Served:
    """One version of one model, open and proven. Requests `hold` it; `close` waits for them."""

    def __init__(
        self, name: str, located: Located, instances: Instances, runner: Runner, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.name = name
        self.limits = limits
        """Of images."""
        self.version = located.version
        self.digest = located.digest
        self.folder = located.path if located.path.is_dir() else located.path.parent
        """The bundle's."""
        self.opened = instances.opened
        self.runner = runner
        self.stats = runner.stats
        self._instances = instances
        self._holders = 0
        self._closing = False
        self._changed = threading.Condition()

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        return self.opened.manifest

    @cached_property
    def fields(self) -> Fields:
        """What a row holds, of a model that takes rows. Raises ArtifactError for a bundle without its tokenizer."""
        return fields_of(self.manifest, self.folder)

    @cached_property
    def in_tiles(self) -> TileRecipe | None:
        """How images are cut, of a model whose facts say so."""
        tiles = self.manifest.tiles
        return None if tiles is None else tile_recipe(recipe(self.manifest), tiles)

    def count_in(self, stats: Stats) -> None:
        """Continue the statistics of this version's previous opening. To be called before the first request."""
        self.stats = self.runner.stats = stats

    def hold(self) -> bool:
        """Keep the model open until `release`; False if it is being closed already."""
        with self._changed:
            if self._closing:
                return False
            self._holders += 1
            return True

    def release(self) -> None:
        """The inverse of `hold`."""
        with self._changed:
            self._holders -= 1
            if self._closing:
                self._changed.notify_all()

    def close(self, within: float | None = None) -> None:
        """Wait until nobody holds the model, then release threads, processes and memory.

        `within`: seconds for what is being answered; without, as long as an engine may take.
        """
        with self._changed:
            self._closing = True
            self._changed.wait_for(lambda: self._holders == 0)
        self.runner.close(within)
        self._instances.close()
        memory.give_back()


def _tuned_processes(path: Path) -> int:
    """What was found best for this model on this machine; threads, if nothing was."""
    described = bundle.find(path)[0].manifest
    return (settings.read(described).processes or 0) if described is not None else 0


OnDeath = Callable[[Exception], None]


def open_model(source: ModelSource, opening: Opening, *, stats: Stats, on_death: OnDeath) -> Served:
    """Open a model for requests. Raises ArtifactError, EngineError, NotFoundError, MissingExtraError."""
    located = sources.fetch(source)
    instances = opening.instances(located.path)
    try:
        name = sources.check_name(source.name or instances.opened.manifest.name)
        policy = opening.policy(instances.opened)
        runner = Runner(instances, policy=policy, stats=stats, limits=opening.hang_limits, on_death=on_death)
        served = Served(name, located, instances, runner, opening.limits)
        if served.manifest.spec.has_text or served.manifest.spec.has_audio:
            _ = served.fields  # a model without its tokenizer, or decoders, must not be ready
        return served
    except BaseException:
        instances.close()
        raise
