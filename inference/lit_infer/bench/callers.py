"""Callers: what one thread does repeatedly, and the threads that do it at the same time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lit_infer.bench.rows import Via
from lit_infer.predictions import Timings


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Caller:
    """One thread's calls."""

    call: Callable[[], Any]
    """Timed. Raises OverloadedError if the call was refused but the next one may succeed."""
    check: Callable[[Any], Sequence[Timings]]
    """Not timed: checks the answer and gives the time of each stage, if known. Raises for a wrong answer, which may
    well be faster than a right one."""
    wake: Callable[[], None] = nothing
    """Not timed; called before a turn."""


@dataclass(frozen=True)
class Callers:
    """All callers that call at the same time."""

    each: Sequence[Caller]
    batch_size: int
    """Images per call; the most that `submit` puts in a batch."""
    via: Via
    close: Callable[[], None] = nothing
    """Release what only they need."""
