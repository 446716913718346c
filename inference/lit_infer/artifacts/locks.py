"""Locks that the kernel drops with the process that held them: a killed writer or reader blocks nobody.

Writers hold the registry's lock for the moment in which a version gets its number, and their staging folder's while
they fill it. A reader holds the record of each version that it fetched, shared, until its process ends; `gc` removes
a version only while it holds that record alone.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MOST_LEASES = 128  # each is an open file; the oldest is closed
_leases: dict[tuple[int, int], int] = {}


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait for a lock file and hold it during the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold an existing file or folder during the block, without waiting; False if somebody else holds it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        yield _try_alone(handle)
    finally:
        os.close(handle)


def lease(path: Path) -> bool:
    """Hold a version's record, shared, for as long as this process lives; False if the version has gone."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    with suppress(OSError):  # on a file system without locks `gc` fails, so there is nothing to fend off
        fcntl.flock(handle, fcntl.LOCK_SH)
    found = os.fstat(handle)
    if not _is_at(path, found):
        os.close(handle)
        return False
    if _leases.setdefault((found.st_dev, found.st_ino), handle) != handle:
        os.close(handle)
    elif len(_leases) > _MOST_LEASES:
        os.close(_leases.pop(next(iter(_leases))))
    return True


def _try_alone(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), found)
    except FileNotFoundError:
        return False
