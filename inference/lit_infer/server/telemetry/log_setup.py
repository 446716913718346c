"""The server's own messages: one line each on stderr, as JSON unless it is a terminal."""

import logging
import time
from datetime import UTC, datetime

import msgspec
from rich.console import Console

_SELDOM_S = 60.0


def start(console: Console) -> None:
    """Send `lit_serve`'s messages, and the warnings and errors of uvicorn and OpenTelemetry, to stderr."""
    own, others = logging.StreamHandler(console.file), logging.StreamHandler(console.file)
    for handler in (own, others):
        handler.setFormatter(logging.Formatter("%(message)s") if console.is_terminal else _Json())
    others.addFilter(_Seldom())
    _send("lit_serve", logging.INFO, own)
    _send("uvicorn.error", logging.WARNING, own)
    _send("opentelemetry", logging.WARNING, others)


def _send(name: str, level: int, handler: logging.Handler) -> None:
    logger = logging.getLogger(name)
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(level)


class _Seldom(logging.Filter):
    """Lets each message pass once a minute, whatever its arguments: a missing collector fails every batch of spans."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, message = time.monotonic(), str(record.msg)[:100]
        if now - self._logged.get(message, -_SELDOM_S) < _SELDOM_S:
            return False
        if len(self._logged) > 100:
            self._logged.clear()
        self._logged[message] = now
        return True


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One object a line; a traceback becomes a field."""
        now = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": now, "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(fields).decode()
