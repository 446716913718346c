"""Exporters comment on their own internals in warnings, logs and prints; their files are verified anyway."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

_lock = threading.Lock()
_inside = 0  # blocks that are hushed now, on all threads
_kept: dict[int, int] = {}  # where descriptors 1 and 2 go otherwise
_streams: list[TextIO] = []  # stdout and stderr, which need not be those descriptors: in a notebook they are not


@contextmanager
def hushed() -> Iterator[None]:
    """Without warnings, log lines and output while the block runs, also from C++ and from the module itself."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), _silence():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def others_to_stderr() -> Iterator[None]:
    """Whatever is printed to stdout in the block, by whomever, goes to stderr: stdout is for results."""
    _flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        _flush()
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _silence() -> Iterator[None]:
    """Send all output nowhere, until the last of the blocks that overlap ends."""
    global _inside  # noqa: PLW0603 - output belongs to the process
    with _lock:
        _inside += 1
        if _inside == 1:
            _flush()
            _leave()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _flush()
                _come_back()


def _leave() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        with suppress(OSError):  # a process may have closed them
            _kept[number] = os.dup(number)
            os.dup2(nowhere, number)
    os.close(nowhere)
    _streams[:] = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - closed when they come back


def _come_back() -> None:
    sys.stdout.close()
    sys.stdout, sys.stderr = _streams
    for number, kept in _kept.items():
        os.dup2(kept, number)
        os.close(kept)
    _kept.clear()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # it may be None, or closed
            stream.flush()
