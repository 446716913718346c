"""Who hears how a reference is looked up: nobody where this is a library, the terminal where a command runs.

`console.run` sets it for the length of a command, so that no function in between has to hand it on.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

Progress = Callable[[int, int], None]
"""Told after each piece: bytes so far, bytes in all."""


@contextmanager
def no_bar(_: str) -> Iterator[Progress]:
    """No progress bar."""
    yield lambda _, __: None


@dataclass(frozen=True)
class Listener:
    """What is done with a line about the work, and with a transfer: its name gives what is told of its bytes."""

    note: Callable[[str], None] = lambda _: None
    transfer: Callable[[str], AbstractContextManager[Progress]] = no_bar


NOBODY = Listener()
current: ContextVar[Listener] = ContextVar("listener", default=NOBODY)
