"""Giving memory back to the system: the C library would keep most of it for the process."""

import ctypes
import gc
import os
from contextlib import suppress

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
_LARGE = 8 * 2**20


def give_back() -> None:
    """Collect what only cycles keep alive, then return free memory to the system, where glibc can do that."""
    gc.collect()
    with suppress(OSError, AttributeError):  # not Linux, or another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def return_large_blocks() -> None:
    """From now on, what is allocated in a large piece goes back to the system when it is freed, as it does at first.

    glibc raises its threshold with each such piece, to 32 MB, and keeps those below in an arena for each thread: after
    some large images and messages that is half a gigabyte. Does nothing if $MALLOC_MMAP_THRESHOLD_ says otherwise.
    """
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").mallopt(_MMAP_THRESHOLD, _LARGE)
