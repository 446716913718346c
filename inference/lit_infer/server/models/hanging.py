"""What takes too long: the limits of images and engines, and the thread that looks."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from lit_infer import streams
from lit_infer.batching.batcher import BATCH_THREADS
from lit_infer.errors import UsageError

log = logging.getLogger("lit_serve")


@dataclass(frozen=True)
class HangLimits:
    """Seconds."""

    image: float = 10.0
    """For preparing one image in a thread of the server."""
    hang: float = 60.0
    """For one run of the graph, or one batch in a process; then its engine is replaced."""

    @property
    def stall(self) -> float:
        """Without an answer to anybody, until the model is reported as not ready."""
        return self.hang / 4

    @property
    def interval(self) -> float:
        """Between two looks."""
        return min(1.0, self.image / 4, self.hang / 4)

    def __post_init__(self) -> None:
        if min(self.image, self.hang) <= 0:
            raise UsageError(f"the limits of images and engines must be positive: {self.image:g} s, {self.hang:g} s")


READING_THREADS = "lit-reading"
"""Of bodies that are large, or take long to read."""
_LEAVING_S = 0.5
"""For threads that have nothing left to do."""


def end_process_if_needed() -> None:
    """End this process now if such a thread is still at work: Python would wait for it, maybe for ever."""
    for name, what in ((BATCH_THREADS, "a batch is still running"), (READING_THREADS, "a body is still being read")):
        if not _are_at_work(name):
            continue
        log.warning("%s; the server ends without it", what)
        logging.shutdown()
        streams.flush()
        os._exit(0)


def _are_at_work(name: str) -> bool:
    """Whether threads of this name do not end by themselves soon."""
    until = time.monotonic() + _LEAVING_S
    threads = [thread for thread in threading.enumerate() if thread.name.startswith(name)]
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return any(thread.is_alive() for thread in threads)


class Watchdog:
    """Calls `look` again and again, in a thread of its own, until it is stopped."""

    def __init__(self, look: Callable[[], None], *, every: float) -> None:
        self._look = look
        self._every = every
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="lit-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._look()
            except Exception:  # it must not end: nobody else looks
                log.exception("the watchdog failed")
