"""How work reports its progress: it calls `note`, `transfer` or `steps`, and the current listener receives it.

    with progress.listening(Listener(note=print)):
        export("last.ckpt")

Used as a library, nothing listens. `console.run` makes the terminal listen while a command runs, so that no function
in between has to pass anything on.
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
    """What to do with each kind of report."""

    note: Say = _nothing
    """A line about the work."""
    note_once: Say | None = None
    """A line that stays true for the rest of the work, so that it need not be repeated. None: treated as any other."""
    warn: Say = _nothing
    """A line that is shown even with --quiet."""
    transfer: Callable[[str], AbstractContextManager[Transferred]] = _no_bytes
    """Wraps a transfer of this name; yields a function to call with its bytes."""
    steps: Callable[[str, int], AbstractContextManager[Advance]] = _no_steps
    """Wraps work of this name in so many steps; yields a function to call after each."""


_NOBODY = Listener()
_current: ContextVar[Listener] = ContextVar("listener", default=_NOBODY)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the reports of the block to this listener instead of the current one."""
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
    listener = _current.get()
    (listener.note_once or listener.note)(text)


def warn(text: str) -> None:
    """Report a line that is shown even with --quiet."""
    _current.get().warn(text)


def transfer(task: str) -> AbstractContextManager[Transferred]:
    """Wraps a transfer; the block calls the yielded function with the bytes so far and in all."""
    return _current.get().transfer(task)


def steps(task: str, total: int) -> AbstractContextManager[Advance]:
    """Wraps work in steps; the block calls the yielded function once per step."""
    return _current.get().steps(task, total)
