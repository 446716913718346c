"""The HTTP edge as a harness: bytes on a connection without a socket, whole and in pieces."""

import asyncio
import functools
import logging
import random
import re
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from lit_infer.errors import LitError
from lit_infer.server.errors import ClientGoneError
from lit_infer.server.http import bodies
from lit_infer.server.http.sockets import Guarded
from lit_infer.server.settings import Settings
from tests.fuzz import reading

SETTINGS = Settings(max_header=600, max_body=2000)
_STATUSES = frozenset((100, 200, 400, 413, 431, 501, 505))
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_TOO_LONG = b"HTTP/1.1 431 "
_SILENT = logging.Logger("silent", logging.CRITICAL)
_MOST = 4000
"""Bytes of an input."""
_TURNS = 2000
"""Of the event loop, within which a connection must have done all that it can do."""
_SETTLES = 5
"""Turns in which a request that has begun is refused, if it is."""


@dataclass
class Heard:
    """What came of the bytes on a connection."""

    requests: list[tuple[Any, ...]] = field(default_factory=list)
    """Method, path, query, headers and body of each request that arrived completely, as the app read it."""
    ends: list[tuple[str, bytes | None]] = field(default_factory=list)
    """Method and body of each request that was answered, None for a body that was too large."""
    answers: list[int] = field(default_factory=list)
    """The app's, in order."""
    wrote: bytearray = field(default_factory=bytearray)


def http(data: bytes) -> None:
    """The requests on a connection are the same however the bytes are cut, and end where a strict reader says.

    Each has one answer. The first two bytes choose where to cut.
    """
    cuts, data = random.Random(data[:2]), data[2:_MOST]  # noqa: S311 - not a secret
    whole = _loop().run_until_complete(_connection([data]))
    _check(whole)
    for (method, body), sure in zip(whole.ends, reading.read(data), strict=False):
        assert (method, sure[1] if body is None else body) == sure
    for most in (1, 9, 300):
        pieces = _loop().run_until_complete(_connection(list(_cut(data, cuts, most))))
        _check(pieces)
        if _TOO_LONG in pieces.wrote or _TOO_LONG in whole.wrote:  # spaces around a value may count or not
            least = min(len(pieces.requests), len(whole.requests))
            assert pieces.requests[:least] == whole.requests[:least]
        else:
            assert pieces.requests == whole.requests


def _cut(data: bytes, cuts: random.Random, most: int) -> Any:
    while data:
        size = cuts.randint(1, most)
        yield data[:size]
        data = data[size:]


def _check(heard: Heard) -> None:
    """The app's answers in their order, and at most one refusal after them."""
    statuses = [int(status) for status in _STATUS.findall(heard.wrote)]
    answered = [status for status in statuses if status != 100]
    assert set(statuses) <= _STATUSES, statuses
    assert answered[: len(heard.answers)] == heard.answers, (statuses, heard.answers)
    assert len(answered) <= len(heard.answers) + 1, (statuses, heard.answers)


async def _connection(pieces: list[bytes]) -> Heard:
    """Send the pieces as a client would who never leaves, and who reads everything."""
    heard = Heard()
    config = Config(_app(heard), ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False)  # type: ignore[arg-type]
    state = ServerState()
    protocol = Guarded(config=config, server_state=state, app_state={}, settings=SETTINGS, is_draining=lambda: False)
    protocol.logger = _SILENT
    transport = _Transport(protocol, heard)
    protocol.connection_made(transport)
    for number, piece in enumerate(pieces):
        assert await _until(lambda: not transport.is_paused or transport.is_shut), "it never reads again"
        if transport.is_shut:
            break
        protocol.data_received(piece)
        if number % 4 == 0:
            await asyncio.sleep(0)
    for _ in range(_SETTLES):
        await asyncio.sleep(0)
    await _until(lambda: not _is_busy(protocol))
    transport.close()
    await _until(lambda: not state.tasks)
    assert not state.tasks, "a request is never given up"
    return heard


def _is_busy(protocol: Guarded) -> bool:
    """Whether a request is there in full that has no answer yet."""
    return bool(protocol.pipeline or protocol._held) or (
        protocol.cycle is not None and not protocol.cycle.more_body and not protocol.cycle.response_complete
    )


async def _until(condition: Any) -> bool:
    for _ in range(_TURNS):
        if condition():
            return True
        await asyncio.sleep(0)
    return False


def _app(heard: Heard) -> Any:
    """Answers each request that it has read to its end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await bodies.read(scope, receive, limit=SETTINGS.max_body)
        except ClientGoneError:
            return
        except LitError as error:
            heard.ends.append((scope["method"], None))
            heard.answers.append(error.status)
            await _answer(send, error.status)
            return
        request = (scope["method"], scope["raw_path"], scope["query_string"], tuple(scope["headers"]), body)
        heard.requests.append(request)
        heard.ends.append((scope["method"], body))
        heard.answers.append(200)
        await _answer(send, 200)

    return app


async def _answer(send: Send, status: int) -> None:
    start: Message = {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]}
    await send(start)
    await send({"type": "http.response.body", "body": b""})


class _Transport:
    """What a protocol needs of a transport; what is written is kept."""

    def __init__(self, protocol: Guarded, heard: Heard) -> None:
        self._protocol = protocol
        self._heard = heard
        self.is_shut = False
        self.is_paused = False

    def write(self, data: bytes) -> None:
        assert not self.is_shut, "it writes to a closed connection"
        self._heard.wrote += data

    def close(self) -> None:
        if not self.is_shut:
            self.is_shut = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self.is_shut

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """The server has said its last word."""

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"sockname": ("127.0.0.1", 8000), "peername": ("127.0.0.1", 50_000)}.get(name, default)


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all inputs: making one takes longer than they do."""
    return asyncio.new_event_loop()
