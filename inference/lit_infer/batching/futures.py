"""A `concurrent.futures.Future` that takes half the time to make, set and read; a batcher makes one for every item.

Most of what a future costs is its `threading.Condition`: several objects, and locking through Python code. Here it
is a lock implemented in C. Everything else, and all behaviour, is the standard library's.
"""

import _thread
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
_PENDING = "PENDING"


class QuickFuture(Future[T]):
    """Sets the fields that `Future.__init__` would set, without calling it; a test compares them."""

    def __init__(self) -> None:
        self._condition: Any = _Condition()
        self._state = _PENDING
        self._result = None
        self._exception = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []

    def settle(self, result: T) -> "list[_thread.LockType]":
        """As `set_result`, but the waiting threads are not woken: release the returned locks to wake them.

        A caller with many results wakes all at the end: woken earlier, they would only wait for the interpreter's lock.
        """
        sleepers: list[_thread.LockType] = self._condition.take_sleepers()
        self.set_result(result)
        return sleepers


class _Condition(_thread.RLock):  # type: ignore[misc]  # final for typeshed, not for CPython
    """The part of `threading.Condition` that a future needs; the object is its own lock."""

    __slots__ = ("_sleepers",)

    def __init__(self) -> None:
        self._sleepers: list[_thread.LockType] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Called with the lock held, which is released meanwhile. False: the timeout passed."""
        sleeper = _thread.allocate_lock()
        sleeper.acquire()
        self._sleepers.append(sleeper)
        lock: Any = self  # typeshed lacks the two methods, which `threading.Condition` calls as well
        held, woken = lock._release_save(), False
        try:
            woken = sleeper.acquire(timeout=-1 if timeout is None else max(0, timeout))
        finally:
            lock._acquire_restore(held)
            if not woken and sleeper in self._sleepers:  # otherwise each repeated wait would leave a lock behind
                self._sleepers.remove(sleeper)
        return woken

    def notify_all(self) -> None:
        """Called with the lock held."""
        for sleeper in self._sleepers:
            sleeper.release()
        self._sleepers.clear()

    def take_sleepers(self) -> list[_thread.LockType]:
        """Take the locks that `notify_all` would release."""
        with self:
            sleepers, self._sleepers = self._sleepers, []
        return sleepers
