"""A `concurrent.futures.Future` that is made, set and read in half the time; a batcher makes one for every item.

Most of what a future costs is its `threading.Condition`: several objects, and locking through Python code. This one's
is a lock from C. All the rest, and all behaviour, is the standard library's.
"""

import _thread
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
_PENDING = "PENDING"


class QuickFuture(Future[T]):
    """Has the fields that `Future.__init__` sets, and no `__init__` of its base is called; a test compares them."""

    def __init__(self) -> None:
        self._condition: Any = _Condition()
        self._state = _PENDING
        self._result = None
        self._exception = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []

    def settle(self, result: T) -> "list[_thread.LockType]":
        """As `set_result`, but whoever sleeps until it is there is not woken: release the locks to do it.

        Who gives many results wakes all at the end. Woken earlier, they would only wait for the interpreter's lock.
        """
        sleepers: list[_thread.LockType] = self._condition.take_sleepers()
        self.set_result(result)
        return sleepers


class _Condition(_thread.RLock):  # type: ignore[misc]  # final for typeshed, not for CPython
    """As much of `threading.Condition` as a future needs: the lock is the object itself."""

    __slots__ = ("_sleepers",)

    def __init__(self) -> None:
        self._sleepers: list[_thread.LockType] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Called with the lock held, which is given up meanwhile. False: the time passed."""
        sleeper = _thread.allocate_lock()
        sleeper.acquire()
        self._sleepers.append(sleeper)
        lock: Any = self  # typeshed does not know the two methods that `threading.Condition` calls as well
        held, woken = lock._release_save(), False
        try:
            woken = sleeper.acquire(timeout=-1 if timeout is None else max(0, timeout))
        finally:
            lock._acquire_restore(held)
            if not woken and sleeper in self._sleepers:  # or who asks again and again would leave a lock each time
                self._sleepers.remove(sleeper)
        return woken

    def notify_all(self) -> None:
        """Called with the lock held."""
        for sleeper in self._sleepers:
            sleeper.release()
        self._sleepers.clear()

    def take_sleepers(self) -> list[_thread.LockType]:
        """The locks that `notify_all` would release; it will not any more."""
        with self:
            sleepers, self._sleepers = self._sleepers, []
        return sleepers
