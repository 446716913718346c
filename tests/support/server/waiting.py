"""Waiting for what happens on another thread."""

import threading
from collections.abc import Callable

import pytest


def until(condition: Callable[[], bool]) -> None:
    """Poll: what is waited for happens on a thread of the repository's own."""
    waiting = threading.Event()
    for _ in range(1000):
        if condition():
            return
        waiting.wait(0.01)
    pytest.fail("it did not happen in 10 s")
