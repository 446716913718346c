"""The models of one server by name and version: found, loaded, unloaded, replaced, and opened again when they die."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from lit_infer.errors import EngineError, LitError, NotFoundError, UsageError
from lit_infer.server.opening import OnDeath, Opening, Served, open_model
from lit_infer.server.sources import Source
from lit_infer.server.stats import Stats

State = Literal["READY", "LOADING", "UNAVAILABLE"]
Open = Callable[[Source, Opening, Stats, OnDeath], Served]

_BACK_OFF = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
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


class Repository:
    """Every model that was asked for. Any thread may call it."""

    def __init__(self, sources: Sequence[Source], opening: Opening, *, open_one: Open | None = None) -> None:
        """Open all models; the first that cannot be opened is raised, and nothing stays open."""
        self._opening = opening
        self._open_one = open_one or _open
        self._lock = threading.Lock()  # of what changes a slot's state, not of requests
        self._stop = threading.Event()
        self._draining = False
        self._slots: list[Slot] = []
        try:
            for source in sources:
                self._add(source)
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> Sequence[Slot]:
        """All versions of all models, in the order in which they were asked for."""
        return self._slots

    def find(self, name: str, version: str | None = None) -> Slot:
        """The slot of a version, or of a model's newest. Raises NotFoundError."""
        found = [slot for slot in self._slots if slot.name == name and version in (None, "", slot.version)]
        if not found:
            what = f"version {version} of model {name}" if version and self.names().count(name) else f"model {name}"
            raise NotFoundError(f"no {what} here; GET /v2/models lists what is served")
        ready = [slot for slot in found if slot.state == "READY"]
        return max(ready or found, key=lambda slot: _newness(slot.version))

    @contextmanager
    def held(self, name: str, version: str | None = None) -> Iterator[Served]:
        """An open model, which stays open in the block. Raises NotFoundError, and EngineError where it is not ready."""
        while True:
            slot = self.find(name, version)
            served = slot.served
            if served is None or slot.state != "READY":
                raise EngineError(
                    f"{slot.name} version {slot.version} is not ready: {slot.reason or slot.state.lower()}"
                )
            if served.hold():  # else it was replaced between the two lines: look again
                break
        try:
            yield served
        finally:
            served.release()

    def names(self) -> list[str]:
        """The models' names, each once."""
        return list(dict.fromkeys(slot.name for slot in self._slots))

    def is_ready(self) -> bool:
        """Whether requests for everything that is meant to be loaded will be answered."""
        slots = [slot for slot in self._slots if slot.reason != _UNLOADED]
        return not self._draining and all(slot.state == "READY" for slot in slots)

    def drain(self) -> None:
        """From now on not ready, though everything is still answered."""
        self._draining = True

    @property
    def draining(self) -> bool:
        """Whether the server is about to stop."""
        return self._draining

    def load(self, name: str) -> None:
        """Open a model that was unloaded, or open it afresh: requests go to the old one until the new one is ready."""
        for slot in self._named(name):
            self.replace(slot)

    def unload(self, name: str) -> None:
        """Close a model after what it has accepted."""
        for slot in self._named(name):
            with self._lock:
                served, slot.served = slot.served, None
                slot.state, slot.reason = "UNAVAILABLE", _UNLOADED
            if served is not None:
                served.close()

    def replace(self, slot: Slot) -> None:
        """Open what the slot's source means now, and let it take over. On failure all stays as it was."""
        opened = self._opened(slot, Stats())
        with self._lock:
            if self._stop.is_set():
                old: Served | None = opened
            else:
                old = slot.served
                if slot.version == opened.version:
                    opened.count_in(slot.stats)  # the same model goes on counting
                slot.version, slot.stats, slot.served = opened.version, opened.stats, opened
                slot.state, slot.reason = "READY", ""
        if old is not None:
            old.close()

    def close(self) -> None:
        """Answer what was accepted, then close all models."""
        self._stop.set()
        for slot in self._slots:
            with self._lock:
                served, slot.served = slot.served, None
                slot.state, slot.reason = "UNAVAILABLE", "the server stops"
            if served is not None:
                served.close()

    def wait(self, seconds: float) -> bool:
        """Sleep, or return True at once when the repository is closed."""
        return self._stop.wait(seconds)

    def _add(self, source: Source) -> None:
        slot = Slot(source, source.name or "", "", "LOADING")
        served = self._opened(slot, slot.stats)
        slot.name, slot.version, slot.served, slot.state = served.name, served.version, served, "READY"
        clash = [other for other in self._slots if (other.name, other.version) == (slot.name, slot.version)]
        self._slots.append(slot)
        if clash:
            raise UsageError(
                f"{source.model} and {clash[0].source.model} are both {slot.name} version {slot.version}. "
                f"Name them: first={clash[0].source.model} second={source.model}"
            )

    def _opened(self, slot: Slot, stats: Stats) -> Served:
        opened: list[Served] = []

        def died(error: Exception) -> None:
            if opened:
                self._died(slot, opened[0], error)

        opened.append(self._open_one(slot.source, self._opening, stats, died))
        return opened[0]

    def _named(self, name: str) -> list[Slot]:
        found = [slot for slot in self._slots if slot.name == name]
        if not found:
            raise NotFoundError(f"no model {name} here; it can be loaded only if the server was started with it")
        return found

    def _died(self, slot: Slot, served: Served, error: Exception) -> None:
        """Called from a worker: nobody else is to wait for this engine."""
        with self._lock:
            if slot.served is not served or slot.state != "READY":
                return  # somebody has noticed already
            slot.state, slot.reason = "UNAVAILABLE", "its engine failed and is opened again"
        log.error("%s version %s: the engine failed (%s); opening it again", slot.name, slot.version, error)
        threading.Thread(target=self._revive, args=(slot,), name="lit-revive", daemon=True).start()

    def _revive(self, slot: Slot) -> None:
        attempt = 0
        while not self._stop.wait(_BACK_OFF[min(attempt, len(_BACK_OFF) - 1)]):
            if slot.reason == _UNLOADED:
                return
            try:
                self.replace(slot)
            except Exception as error:  # whatever it is, the next attempt may go better
                attempt += 1
                log.error("%s could not be opened again: %s", slot.name, _told(error))
            else:
                log.warning("%s version %s is ready again", slot.name, slot.version)
                return


_UNLOADED = "unloaded"


def _open(source: Source, opening: Opening, stats: Stats, on_death: OnDeath) -> Served:
    return open_model(source, opening, stats=stats, on_death=on_death)


def _newness(version: str) -> tuple[int, str]:
    return (int(version), "") if version.isdigit() else (-1, version)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, LitError) else f"{type(error).__name__}: {error}"
