"""The server's own messages on stderr."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from rich.console import Console

from lit_infer.server.telemetry import log_setup

NAMES = ("lit_serve", "uvicorn.error", "opentelemetry")


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(one.handlers, one.propagate, one.level) for one in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def started(*, terminal: bool) -> io.StringIO:
    file = io.StringIO()
    log_setup.start(Console(file=file, force_terminal=terminal))
    return file


def test_without_a_terminal_each_message_is_a_line_of_json_traceback_included() -> None:
    file = started(terminal=False)
    log = logging.getLogger("lit_serve")

    log.info("%s is ready", "colours")
    try:
        raise RuntimeError("CUDA error")
    except RuntimeError:
        log.exception("it failed")

    ready, failed = map(json.loads, file.getvalue().splitlines())
    assert (ready["level"], ready["message"]) == ("info", "colours is ready")
    assert (failed["level"], failed["message"]) == ("error", "it failed")
    assert "RuntimeError: CUDA error" in failed["traceback"]


def test_at_a_terminal_it_is_the_message_alone() -> None:
    file = started(terminal=True)

    logging.getLogger("lit_serve").warning("careful")

    assert file.getvalue() == "careful\n"


def test_of_uvicorn_only_warnings_are_shown() -> None:
    file = started(terminal=True)

    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request")

    assert file.getvalue() == "Invalid HTTP request\n"


def test_a_message_of_opentelemetry_is_not_repeated_whatever_its_arguments() -> None:
    file = started(terminal=True)
    log = logging.getLogger("opentelemetry.exporter")

    for attempt in range(3):
        log.error("cannot export spans: attempt %s", attempt)
    log.error("something else")

    assert file.getvalue() == "cannot export spans: attempt 0\nsomething else\n"
