"""How long a model may take to be opened, proven and warmed up, and with how much memory; in a process of its own."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lit_infer.errors import EngineError, UsageError

_LOOK_S = 0.02
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_ASKED = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|)(?:,\s*(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?)?", re.IGNORECASE)
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "": 1.0}


@dataclass(frozen=True)
class OpenLimit:
    """A limit of time, and of memory if there is one."""

    seconds: float
    bytes: int | None = None


def parse(text: str) -> OpenLimit:
    """Read `60s` or `60s,4G`. Raises UsageError."""
    found = _ASKED.fullmatch(text.strip())
    if found is None or not float(found[1]) or (found[3] and not float(found[3])):
        raise UsageError(f"--open-limit {text!r} is not a limit: write a time, or a time and a size, such as 60s,4G")
    size = int(float(found[3]) * _UNITS[found[4].upper()]) if found[3] else None
    return OpenLimit(float(found[1]) * _SECONDS[found[2].lower()], size)


def wait_within(limit: OpenLimit, pid: int, is_done: Callable[[float], bool]) -> None:
    """Wait until `is_done(seconds to wait)`. Raises EngineError once the process has used more than it may."""
    ends = time.monotonic() + limit.seconds
    while not is_done(_LOOK_S):
        if time.monotonic() > ends:
            raise EngineError(f"it was not opened in {limit.seconds:g} s; see --open-limit")
        if limit.bytes is not None and resident(pid) > limit.bytes:
            raise EngineError(f"it needed more than {limit.bytes / 2**20:,.0f} MiB to be opened; see --open-limit")


def resident(pid: int) -> int:
    """The memory of a process, in bytes; 0 if it has ended or the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except (OSError, IndexError):
        return 0
