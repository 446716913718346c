"""A standard error that is closed, full or unread neither stops a command nor changes its exit code."""

import atexit
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_STDERR = 2
_MOST_WAITING = 2**20
"""Bytes that wait for whoever reads stderr; beyond it, lines are lost and counted."""
_LAST_WAIT_S = 1.0
"""At the end: how long the last lines may take."""


def repair() -> None:
    """Open the closed ones of the descriptors 0, 1 and 2 on nothing, and forgive stderr whatever it raises."""
    for descriptor in (0, 1, _STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free descriptor is this one. Otherwise the next file or socket would be, and be written to.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - it stays open
    if sys.stderr is None or sys.stderr is sys.__stderr__:  # a test or a program of its own may have replaced it
        sys.stderr = _forgiving(_STDERR)


def wait_for_nobody() -> None:
    """From now on, what is written to stderr is queued for a thread: a reader that has stopped delays nobody.

    For servers. A pipe that nobody reads is full after 64 KB, and a terminal may be paused.
    """
    if isinstance(sys.stderr, io.TextIOWrapper) and isinstance(getattr(sys.stderr.buffer, "raw", None), _Forgiving):
        queued = _Queued(_STDERR)
        # Without a buffer between them: a signal's handler may write while the main thread does.
        sys.stderr = io.TextIOWrapper(queued, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        atexit.register(flush)


def flush() -> None:
    """Give what is queued for stderr a moment to be written: to be called before a process ends without `atexit`."""
    queued = getattr(sys.stderr, "buffer", None)
    if isinstance(queued, _Queued):
        queued.settle(_LAST_WAIT_S)


def _forgiving(descriptor: int) -> io.TextIOWrapper:
    raw = _Forgiving(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)


class _Forgiving(io.FileIO):
    """A file that loses what it cannot write: nobody reads it, or the disk is full."""

    def write(self, data: Any) -> int:
        """As if all had been written."""
        with _unsignalled(), suppress(OSError):
            super().write(data)
        return memoryview(data).nbytes


class _Queued(_Forgiving):
    """A file that a thread of its own writes to. Any thread, and any signal's handler, may write at any time."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._changed = threading.Condition()  # reentrant
        self._waiting: list[bytes] = []
        self._size = 0
        """Of what is waiting, in bytes."""
        self._lost = 0
        self._is_writing = False
        threading.Thread(target=self._write_all, name="lit-stderr", daemon=True).start()

    def write(self, data: Any) -> int:
        """Queue it, or lose it if too much is waiting."""
        text = bytes(data)
        with self._changed:
            if self._size + len(text) > _MOST_WAITING:
                self._lost += max(1, text.count(b"\n"))
            else:
                self._waiting.append(text)
                self._size += len(text)
                self._changed.notify_all()
        return len(text)

    def settle(self, seconds: float) -> None:
        """Return when everything is written, or after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._is_writing, seconds)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                text, self._waiting, self._size, self._is_writing = b"".join(self._waiting), [], 0, True
                if self._lost:
                    text, self._lost = text + b'{"lost_log_lines": %d}\n' % self._lost, 0
            super().write(text)


@contextmanager
def _unsignalled() -> Iterator[None]:
    """Without SIGPIPE, which ends a command whose standard output nobody reads any more."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if hasattr(signal, "sigtimedwait"):
            signal.sigtimedwait({signal.SIGPIPE}, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
