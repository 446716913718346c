"""The models of one server by name and version: found, loaded, unloaded, replaced, and reopened when they die."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lit_infer.errors import EngineError, LitError, NotFoundError, UsageError
from lit_infer.server.models import canary
from lit_infer.server.models.instances import pauses
from lit_infer.server.models.opening import OnDeath, Opening, Served, open_model
from lit_infer.server.models.slot import UNLOADED, Slot
from lit_infer.server.models.sources import ModelSource, plain_name
from lit_infer.server.models.stats import Stats

Open = Callable[[ModelSource, Opening, Stats, OnDeath], Served]

_STOP_S = 2.0
"""What is being answered when the server stops may take this long; nobody waits for it any more."""
log = logging.getLogger("lit_serve")


class Repository:
    """All models of a server. Any thread may call it."""

    def __init__(self, sources: Sequence[ModelSource], opening: Opening, *, open_one: Open | None = None) -> None:
        """Open all models. Raises the first error, and then nothing stays open."""
        self._opening = opening
        self._open_one = open_one or _open
        self._lock = threading.Lock()  # for changes of slots, not for requests
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
        """All versions of all models, in the order of their sources."""
        return [slot for slot in self._slots if not slot.is_paused]

    @property
    def moving(self) -> Sequence[Slot]:
        """Slots whose alias may move to another version: open models, and paused canaries."""
        return [slot for slot in self._slots if slot.source.moves and (slot.served is not None or slot.is_paused)]

    def find(self, name: str, version: str | None = None) -> Slot:
        """The slot of a version; without one, of the model's newest that is not a canary. Raises NotFoundError."""
        name = plain_name(name)
        named = [slot for slot in self.slots if slot.name == name]
        found = [slot for slot in named if slot.version == version or not (version or slot.source.share)]
        if not found:
            what = f"version {version} of model {name}" if named else f"model {name}".strip()
            raise NotFoundError(f"there is no {what} here; GET /v2/models lists the models")
        ready = [slot for slot in found if slot.state == "READY"]
        return max(ready or found, key=lambda slot: _newness(slot.version))

    def canary_in_turn(self, name: str) -> Slot | None:
        """The canary, if it is its turn to answer a request that names no version."""
        name = plain_name(name)
        for slot in self._slots:
            share = slot.source.share
            if share and slot.name == name and canary.is_turn(next(slot.turns), share) and slot.state == "READY":
                return slot
        return None

    @contextmanager
    def held(self, name: str, version: str | None = None) -> Iterator[Served]:
        """An open model, which stays open in the block. Raises NotFoundError, and EngineError if it is not ready."""
        while True:
            slot = self.find(name, version)
            served = slot.served
            if served is None or slot.state != "READY":
                raise EngineError(
                    f"{slot.name} version {slot.version} is not ready: {slot.reason or slot.state.lower()}"
                )
            if served.hold():  # otherwise it was replaced just now: look again
                break
        try:
            yield served
        finally:
            served.release()

    def names(self) -> list[str]:
        """The models' names, each once."""
        return list(dict.fromkeys(slot.name for slot in self._slots))

    def is_ready(self) -> bool:
        """Whether every model that should be loaded is ready."""
        slots = [slot for slot in self.slots if slot.reason != UNLOADED]
        return not self._draining and all(slot.is_ready for slot in slots)

    def drain(self) -> None:
        """Report "not ready" from now on, while requests are still answered."""
        self._draining = True

    @property
    def draining(self) -> bool:
        """Whether the server is about to stop."""
        return self._draining

    def load(self, name: str) -> None:
        """Open a model, or reopen it: requests go to the old one until the new one is ready."""
        for slot in self._named(name):
            self.replace(slot)

    def unload(self, name: str) -> None:
        """Close a model once its accepted requests are answered."""
        for slot in self._named(name):
            if not slot.is_paused:
                self._close_slot(slot, UNLOADED)

    def replace(self, slot: Slot) -> None:
        """Open what the slot's source refers to now, and switch to it. On failure nothing changes."""
        opened = self._opened(slot, Stats())
        try:
            with self._lock:
                unused = [opened] if self._stop.is_set() else self._take_over(slot, opened)
        except BaseException:
            opened.close()
            raise
        for served in unused:
            if served is not None:
                served.close()

    def pause(self, slot: Slot, version: str) -> None:
        """Pause a canary whose version is the main one's now. Does nothing if it is paused already."""
        with self._lock:
            served = None if slot.is_paused else slot.pause(version)
        if served is not None:
            served.close()

    def close(self) -> None:
        """Answer the accepted requests, then close all models."""
        self._stop.set()
        for slot in self._slots:
            self._close_slot(slot, "the server is stopping", within=_STOP_S)

    def wait(self, seconds: float) -> bool:
        """Sleep, or return True as soon as the repository is closed."""
        return self._stop.wait(seconds)

    def _add(self, source: ModelSource) -> None:
        if source.share:
            source = self._named_canary(source)
        slot = Slot(source, source.name or "", "", "LOADING")
        served = self._opened(slot, slot.stats)
        slot.name, slot.version, slot.served, slot.state = served.name, served.version, served, "READY"
        twin = self._twin(slot, slot.version)
        self._slots.append(slot)
        if twin is not None and not self._is_paused_as(slot, twin):
            raise UsageError(_clash(slot, twin))

    def _is_paused_as(self, slot: Slot, twin: Slot) -> bool:
        """Pause a canary that is the same as the main version: its alias may move later."""
        digests = {one.served.digest for one in (slot, twin) if one.served is not None}
        if slot.source.share is None or len(digests) != 1 or "" in digests:
            return False
        self.pause(slot, slot.version)
        return True

    def _named_canary(self, source: ModelSource) -> ModelSource:
        name = canary.model_of(source, self.names())
        slots = [slot for slot in self._slots if slot.name == name]
        if any(slot.source.share for slot in slots):
            raise UsageError(f"--canary {source.model}: {name} has a canary already; a model can have only one")
        return canary.named(source, name, [slot.version for slot in slots])

    def _opened(self, slot: Slot, stats: Stats) -> Served:
        opened: list[Served] = []

        def died(error: Exception) -> None:
            if opened:
                self._died(slot, opened[0], error)

        opened.append(self._open_one(slot.source, self._opening, stats, died))
        if slot.source.share and (main := self.find(slot.name).served) is not None:
            try:
                canary.check_fits(opened[0].manifest, main.manifest)
            except UsageError:
                opened[0].close()
                raise
        return opened[0]

    def _twin(self, slot: Slot, version: str) -> Slot | None:
        """Another slot that serves this version."""
        twins = (other for other in self.slots if (other.name, other.version) == (slot.name, version))
        return next((other for other in twins if other is not slot), None)

    def _take_over(self, slot: Slot, opened: Served) -> list[Served | None]:
        """Serve what was opened, unless another slot serves that version. Returns what is to be closed."""
        twin = self._twin(slot, opened.version)
        if twin is None:
            return [slot.take(opened)]
        if slot.source.share:
            return [opened, slot.pause(opened.version)]
        if twin.source.share is None:
            raise UsageError(f"{slot.name} version {opened.version} is already served, as {twin.source.model}")
        opened.count_in(twin.stats)  # continue the statistics of the canary: it is the same version
        return [slot.take(opened), twin.pause(opened.version)]

    def _close_slot(self, slot: Slot, reason: str, *, within: float | None = None) -> None:
        with self._lock:
            served = slot.vacate(reason)
        if served is not None:
            served.close(within)

    def _named(self, name: str) -> list[Slot]:
        found = [slot for slot in self._slots if slot.name == name]
        if not found:
            raise NotFoundError(
                f"there is no model {name} here; only models that the server was started with can be loaded"
            )
        return found

    def _died(self, slot: Slot, served: Served, error: Exception) -> None:
        """Called from a worker: no more requests go to this engine."""
        with self._lock:
            if slot.served is not served or slot.state != "READY":
                return  # it has been handled already
            slot.state, slot.reason = "UNAVAILABLE", "its engine failed and is being restarted"
        meanwhile = "; meanwhile the main version answers its share" if slot.source.share else ""
        failed = "%s version %s: the engine failed (%s); restarting it%s"
        log.error(failed, slot.name, slot.version, error, meanwhile)
        threading.Thread(target=self._reopen, args=(slot,), name="lit-reopen", daemon=True).start()

    def _reopen(self, slot: Slot) -> None:
        for pause in pauses():
            if self._stop.wait(pause) or slot.reason == UNLOADED or slot.is_paused:
                return
            try:
                self.replace(slot)
            except Exception as error:  # whatever it is, the next attempt may succeed
                log.error("%s could not be reopened: %s", slot.name, _text(error))
            else:
                log.warning("%s version %s is ready again", slot.name, slot.version)
                return


def _clash(slot: Slot, twin: Slot) -> str:
    first, second, both = twin.source.model, slot.source.model, f"are both {slot.name} version {slot.version}"
    if slot.source.share is None:
        return f"{second} and {first} {both}. Name them: first={first} second={second}"
    return f"--canary {second} and {first} {both}, but differ: publish it as a version of its own, or name its folder"


def _open(source: ModelSource, opening: Opening, stats: Stats, on_death: OnDeath) -> Served:
    return open_model(source, opening, stats=stats, on_death=on_death)


def _newness(version: str) -> tuple[int, str]:
    return (int(version), "") if version.isdigit() else (-1, version)


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, LitError) else f"{type(error).__name__}: {error}"
