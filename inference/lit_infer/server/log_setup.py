"""Where the server's own messages go: stderr, a line each, as JSON where nobody sits at a terminal."""

import logging
from datetime import UTC, datetime

import msgspec
from rich.console import Console


def start(console: Console) -> None:
    """Send `lit_serve`'s messages, and uvicorn's from warnings on, to stderr."""
    handler = logging.StreamHandler(console.file)
    handler.setFormatter(logging.Formatter("%(message)s") if console.is_terminal else _Json())
    for name, level in (("lit_serve", logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One object a line; a traceback becomes a field."""
        now = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": now, "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(fields).decode()
