"""A slot holds one version of a model in a server: its source, the open model, its statistics."""

import itertools
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lit_infer.server.models.opening import Served
from lit_infer.server.models.sources import ModelSource
from lit_infer.server.models.stats import Stats

State = Literal["READY", "LOADING", "UNAVAILABLE"]

UNLOADED = "unloaded"
PAUSED = "the main version is the same"
_SELDOM_S = 10.0
_LONGEST = 300  # characters of an error in the log
log = logging.getLogger("lit_serve")


@dataclass
class Slot:
    """One version of a model, open or not."""

    source: ModelSource
    name: str
    version: str
    state: State
    reason: str = ""
    served: Served | None = None
    stats: Stats = field(default_factory=Stats)
    turns: Iterator[int] = field(default_factory=itertools.count)
    """Counts the requests that a canary could have answered."""
    blamed: float = -_SELDOM_S
    """When a failure was last logged, by time.monotonic."""

    @property
    def is_paused(self) -> bool:
        """Whether it is a canary of the main version: closed and not listed until one of their aliases moves."""
        return self.reason == PAUSED

    @property
    def is_ready(self) -> bool:
        """Whether it answers."""
        return self.state == "READY" and (self.served is None or not self.served.runner.is_stalled)

    def take(self, opened: Served) -> Served | None:
        """Serve what was opened. Returns what was served before, to be closed."""
        if self.version == opened.version:
            opened.count_in(self.stats)  # the same version: continue its statistics
        before, self.served = self.served, opened
        self.version, self.stats, self.state, self.reason = opened.version, opened.stats, "READY", ""
        return before

    def vacate(self, reason: str) -> Served | None:
        """Serve nothing. Returns what was served before, to be closed."""
        before, self.served = self.served, None
        self.state, self.reason = "UNAVAILABLE", reason
        return before

    def pause(self, version: str) -> Served | None:
        """As `vacate`, for a canary that is now `version`, which the main slot serves."""
        message = "%s: the canary %s is version %s, like the main one; it is paused until one of them moves"
        log.info(message, self.name, self.source.model, version)
        return self.vacate(PAUSED)

    def blame(self, failure: str) -> None:
        """Log, at most once in ten seconds, that a canary failed where the main version succeeded."""
        now = time.monotonic()
        if now - self.blamed >= _SELDOM_S:
            self.blamed = now
            message = "%s version %s, the canary, failed where the main version answered: %s"
            log.warning(message, self.name, self.version, failure[:_LONGEST])
