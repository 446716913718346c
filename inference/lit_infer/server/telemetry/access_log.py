"""One line per request on stderr: JSON for machines, a short form at a terminal."""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

import msgspec

_FLUSH_S = 0.2
_MOST = 20_000


@dataclass(slots=True)
class Access:
    """A request, as far as the log is concerned, once it has been answered."""

    id: str
    client: str
    method: str
    path: str
    status: int
    ms: float
    bytes_out: int
    model: str = ""
    error: str = ""
    trace_id: str = ""


class AccessLog:
    """Collects lines and writes them a few times a second in a thread, so that a slow terminal delays no request."""

    def __init__(self, stream: TextIO | None = None, *, as_json: bool | None = None) -> None:
        self._stream = stream or sys.stderr
        self._format: Callable[[Access], str] = _json
        if not (as_json if as_json is not None else not self._stream.isatty()):
            self._format = _short
        self._lines: list[str] = []
        self._lost = 0
        self._is_due = False

    def __call__(self, access: Access) -> None:
        """Log one request. To be called in the event loop."""
        if len(self._lines) >= _MOST:  # the reader of the log has stopped reading
            self._lost += 1
            return
        self._lines.append(self._format(access))
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(_FLUSH_S, self._start_flush)

    def flush(self) -> None:
        """Write the collected lines."""
        lines, self._lines = self._lines, []
        if self._lost:
            lines.append(f'{{"lost_log_lines": {self._lost}}}')
            self._lost = 0
        if lines:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()

    def _start_flush(self) -> None:
        asyncio.get_running_loop().run_in_executor(None, self._flush_once)

    def _flush_once(self) -> None:
        try:
            self.flush()
        except OSError:  # the log has no reader any more; requests are answered nevertheless
            self._lost += 1
        finally:
            self._is_due = False


def _json(access: Access) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    fields = {"time": now, "level": "info", **{k: getattr(access, k) for k in Access.__slots__}}
    fields["ms"] = round(access.ms, 3)
    return msgspec.json.encode({key: value for key, value in fields.items() if value != ""}).decode()


def _short(access: Access) -> str:
    clock = time.strftime("%H:%M:%S")
    path = access.path.encode(
        "unicode_escape"
    ).decode()  # clients must not be able to send escape sequences to the terminal
    return f"{clock} {access.status} {access.ms:8.1f} ms  {access.method} {path}  {access.error}".rstrip()
