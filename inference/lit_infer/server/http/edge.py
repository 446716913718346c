"""The outermost layer of the app: request ids, keys, errors as JSON, the access log. Plain ASGI."""

import logging
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lit_infer.errors import LitError
from lit_infer.server import auth
from lit_infer.server.errors import ClientGoneError, status_of, text_of
from lit_infer.server.http import page_files
from lit_infer.server.telemetry.access_log import Access
from lit_infer.server.telemetry.request_ids import RequestIds

if TYPE_CHECKING:
    from lit_infer.server.telemetry.tracing import RequestSpan, Tracing

_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_RETRY_AFTER_S = b"1"
_LONGEST = 600  # characters: what a client sent may be quoted, not repeated to it in full
_OPEN_PATHS = frozenset({"/v2/health/live", "/v2/health/ready"}) | page_files.NAMES.keys()
"""Paths that need no key: probes, and the page, which holds no data and asks for the key itself."""
log = logging.getLogger("lit_serve")


class Edge:
    """Wraps the routes; called once per request."""

    def __init__(
        self,
        routes: ASGIApp,
        *,
        keys: tuple[bytes, ...],
        access: Callable[[Access], None] | None,
        tracing: "Tracing | None" = None,
        root_path: str = "",
    ) -> None:
        self._routes = routes
        self._keys = keys
        self._access = access
        self._tracing = tracing
        self._root = root_path
        self._ids = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._routes(scope, receive, send)
            return
        if self._root and scope["path"].startswith(self._root + "/"):
            scope["path"] = scope["path"][len(self._root) :]
        exchange = _Exchange(send, self._ids.of(scope["headers"]))
        scope["lit"] = exchange
        scope["app"] = self  # Starlette's router raises for 404 and 405 only if the scope has an app
        if self._tracing is None or scope["path"] in self._tracing.unseen:
            await self._answer(scope, receive, exchange)
            return
        with self._tracing.http(scope, exchange.id.decode()) as exchange.span:
            try:
                await self._answer(scope, receive, exchange)
            finally:
                exchange.span.answered_http(scope, exchange.status, exchange.model)

    async def _answer(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        try:
            if self._keys and scope["path"] not in _OPEN_PATHS:
                auth.check(dict(scope["headers"]), self._keys)
            await self._routes(scope, receive, exchange.send)
        except ClientGoneError as error:
            exchange.status, exchange.error = error.status, str(error)
            exchange.trace(error)
        except Exception as error:
            await exchange.fail(error)
        finally:
            self._log(scope, exchange)

    def _log(self, scope: Scope, exchange: "_Exchange") -> None:
        if self._access is None:
            return
        client = scope.get("client")
        access = Access(
            id=exchange.id.decode(),
            client=client[0] if client else "",
            method=scope["method"],
            path=scope["path"],
            status=exchange.status,
            ms=(time.perf_counter() - exchange.started) * 1e3,
            bytes_out=exchange.sent,
            model=exchange.model,
            error=exchange.error,
            trace_id=exchange.span.trace_id if exchange.span else "",
        )
        self._access(access)


class _Exchange:
    """One request and its outcome."""

    __slots__ = ("_send", "error", "id", "model", "sent", "span", "started", "status")

    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send = send
        self.id = request_id
        self.started = time.perf_counter()
        self.status = 0
        self.sent = 0
        self.model = ""
        self.error = ""
        self.span: RequestSpan | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self.id)]
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)

    def trace(self, error: Exception) -> None:
        """Record an error in the request's span, if it has one."""
        if self.span is not None:
            self.span.failed(error)

    async def fail(self, error: Exception) -> None:
        """Answer with the error, unless an answer has been started."""
        status, text = _said(error, self.id.decode())
        self.error = text
        self.trace(error)
        if status == 500 and not isinstance(error, LitError):
            log.error("request %s: %s", self.id.decode(), type(error).__name__, exc_info=error)
        if self.status:
            raise error
        body = msgspec.json.encode({"error": text})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": headers + _more(error, status)})
        await self.send({"type": "http.response.body", "body": body})


def _said(error: Exception, request_id: str) -> tuple[int, str]:
    """The status and the text that the client is sent."""
    if isinstance(error, HTTPException):
        return error.status_code, error.detail.lower()
    return status_of(error), text_of(error, request_id)


def _more(error: Exception, status: int) -> list[tuple[bytes, bytes]]:
    if status == 503:
        return [(b"retry-after", _RETRY_AFTER_S)]
    if status == 401:
        return [(b"www-authenticate", b"Bearer")]
    if status == 413:
        return [(b"connection", b"close")]  # the rest of the body is not read
    headers = (error.headers or {}) if isinstance(error, HTTPException) else {}
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
