"""The place of one version of a model in a server: what was asked for, what is open, what it has counted."""

import itertools
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lit_infer.server.models.opening import Served
from lit_infer.server.models.sources import Source
from lit_infer.server.models.stats import Stats

State = Literal["READY", "LOADING", "UNAVAILABLE"]

UNLOADED = "unloaded"
RESTS = "the main version is the same"
_SELDOM_S = 10.0
_LONGEST = 300  # characters of an error in the log
log = logging.getLogger("lit_serve")


@dataclass
class Slot:
    """The place of one version of a model, open or not."""

    source: Source
    name: str
    version: str
    state: State
    reason: str = ""
    served: Served | None = None
    stats: Stats = field(default_factory=Stats)
    turns: Iterator[int] = field(default_factory=itertools.count)
    """Of a canary: the requests that it could have answered, counted."""
    blamed: float = -_SELDOM_S
    """When its last failure was told, by time.monotonic."""

    @property
    def rests(self) -> bool:
        """Whether it is a canary of the same version as the main one: closed until one of them moves, and not shown."""
        return self.reason == RESTS

    def take(self, opened: Served) -> Served | None:
        """Serve what was opened; what was served before is to be closed."""
        if self.version == opened.version:
            opened.count_in(self.stats)  # the same model goes on counting
        before, self.served = self.served, opened
        self.version, self.stats, self.state, self.reason = opened.version, opened.stats, "READY", ""
        return before

    def put_away(self, reason: str) -> Served | None:
        """Serve nothing; what was served before is to be closed."""
        before, self.served = self.served, None
        self.state, self.reason = "UNAVAILABLE", reason
        return before

    def rest(self, version: str) -> Served | None:
        """As `put_away`: of a canary that has come to be `version`, for the main one serves that."""
        told = "%s: the canary %s is version %s, as the main one is; it rests until one of them moves"
        log.info(told, self.name, self.source.model, version)
        return self.put_away(RESTS)

    def blame(self, failure: str) -> None:
        """Log, but not each time, that a canary failed at what the main version could do."""
        now = time.monotonic()
        if now - self.blamed >= _SELDOM_S:
            self.blamed = now
            told = "%s version %s, the canary, failed where the main one answered: %s"
            log.warning(told, self.name, self.version, failure[:_LONGEST])
