"""How work reports its progress: it calls `note`, `transfer` or `steps`, and the current listener hears it.

    with progress.listening(Listener(note=print)):
        export("last.ckpt")

Nobody listens where this is a library. `console.run` lets the terminal listen for the length of a command, so that no
function in between has to hand anything on.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

Say = Callable[[str], None]
Transferred = Callable[[int, int], None]
"""Called after each piece: bytes so far, bytes in all."""
Advance = Callable[[], None]
"""Called after each step."""


def _nothing(_: str) -> None:
    pass


@contextmanager
def _no_bytes(_: str) -> Iterator[Transferred]:
    yield lambda _, __: None


@contextmanager
def _no_steps(_: str, __: int) -> Iterator[Advance]:
    yield lambda: None


@dataclass(frozen=True)
class Listener:
    """What is done with each report."""

    note: Say = _nothing
    """A line about the work."""
    note_once: Say | None = None
    """A line that stays true for the rest of the work, so that it need not be repeated. None: treated as any other."""
    warn: Say = _nothing
    """A line that is shown even to those who asked for quiet."""
    transfer: Callable[[str], AbstractContextManager[Transferred]] = _no_bytes
    """Around a transfer of this name; gives a function to call with its bytes."""
    steps: Callable[[str, int], AbstractContextManager[Advance]] = _no_steps
    """Around work of this name in so many steps; gives a function to call after each."""


_NOBODY = Listener()
_current: ContextVar[Listener] = ContextVar("listener", default=_NOBODY)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let a listener hear the reports of the block, in place of the one before."""
    before = _current.set(listener)
    try:
        yield
    finally:
        _current.reset(before)


def note(text: str) -> None:
    """Report a line about the work."""
    _current.get().note(text)


def note_once(text: str) -> None:
    """Report a line that stays true for the rest of the work."""
    hears = _current.get()
    (hears.note_once or hears.note)(text)


def warn(text: str) -> None:
    """Report a line that is shown even to those who asked for quiet."""
    _current.get().warn(text)


def transfer(task: str) -> AbstractContextManager[Transferred]:
    """Around a transfer; the block calls what it is given with the bytes so far and in all."""
    return _current.get().transfer(task)


def steps(task: str, total: int) -> AbstractContextManager[Advance]:
    """Around work in steps; the block calls what it is given once per step."""
    return _current.get().steps(task, total)
