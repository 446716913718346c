"""Who calls: what one thread does again and again, and the threads that do it together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lit_infer.bench.rows import Via
from lit_infer.predictions import Timings


def nothing() -> None:
    """For whom nothing is to be done."""


@dataclass(frozen=True)
class Caller:
    """One thread's calls."""

    call: Callable[[], Any]
    """Timed. Raises OverloadedError where it was refused and the next one may not be."""
    check: Callable[[Any], Sequence[Timings]]
    """Of its answer, not timed: the stages, if they are known. Raises where this is no right answer, which may well
    be quicker than any other."""
    wake: Callable[[], None] = nothing
    """Not timed, before a turn."""


@dataclass(frozen=True)
class Callers:
    """All who call at the same time."""

    each: Sequence[Caller]
    batch_size: int
    """Images per call; the most that `submit` puts in a batch."""
    via: Via
    close: Callable[[], None] = nothing
    """Give back what only they need."""
