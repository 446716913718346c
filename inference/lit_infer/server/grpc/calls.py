"""The edge of gRPC, as `edge` is HTTP's: request ids, keys, time limits, errors as codes, the access log.

Every call is taken as a stream of bytes, which is the same on the wire. So a message that never comes ends by our
clock, one that makes no sense by our words, and nobody's message is read before their key.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError, Message

from lit_infer.errors import EngineError, ExpiredError, LitError, OverloadedError, UsageError
from lit_infer.server import auth, edge
from lit_infer.server.access_log import Access
from lit_infer.server.bodies import ClientGoneError
from lit_infer.server.grpc.deadlines import Deadlines
from lit_infer.server.settings import Settings

if TYPE_CHECKING:
    from lit_infer.server.tracing import RequestSpan, Tracing

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Request = TypeVar("Request", bound=Message)
T = TypeVar("T")

_RETRY_AFTER_MS = "1000"
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    499: grpc.StatusCode.CANCELLED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
log = logging.getLogger("lit_serve")


class SlowError(LitError):
    """A message did not come, or was not taken, in time: HTTP 408."""

    status = 408


def code_of(error: Exception) -> grpc.StatusCode:
    """The code that gRPC has for an error."""
    if isinstance(error, OverloadedError):
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    if isinstance(error, ExpiredError):
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return _CODES.get(edge.status_of(error), grpc.StatusCode.INTERNAL)


@dataclass(slots=True)
class Call:
    """One request and what has become of it."""

    path: str
    context: Context
    id: str
    started: float = field(default_factory=time.perf_counter)
    code: grpc.StatusCode = grpc.StatusCode.OK
    status: int = 200
    """The code's equal over HTTP."""
    told: str = ""
    """What the client is told of an error."""
    sent: int = 0
    model: str = ""
    span: "RequestSpan | None" = None

    def failed(self, error: Exception) -> None:
        """Note what went wrong."""
        self.told, self.code, self.status = edge.text_of(error, self.id), code_of(error), edge.status_of(error)
        if self.status == 500 and not isinstance(error, LitError):
            log.error("request %s: %s", self.id, type(error).__name__, exc_info=error)
        if self.span is not None:
            self.span.failed(error)
            if self.status >= 500:
                self.span.is_ours(self.told)


class Calls:
    """Makes the handlers of a server's calls."""

    def __init__(
        self,
        settings: Settings,
        *,
        access: Callable[[Access], None] | None = None,
        tracing: "Tracing | None" = None,
    ) -> None:
        self.settings = settings
        self._access = access
        self._tracing = tracing
        self._ids = edge.RequestIds()
        self._deadlines = Deadlines()
        self._readers: set[asyncio.Task[Any]] = set()
        """Of streams that wait for a message."""
        self.is_stopping = False

    def unary(
        self, path: str, kind: type[Request], answer: Callable[[Request, Call], Awaitable[Message]], *, is_open: bool
    ) -> Handler:
        """One message in, one out. `is_open`: without a key."""

        async def answered(call: Call) -> bytes:
            raw = await self.read(call, within=self.settings.body_timeout)
            if raw is None:
                raise UsageError(f"{path} takes one message of at most {self.settings.max_body:,} bytes; none came")
            sent: bytes = (await answer(parsed(kind, raw), call)).SerializeToString()
            call.sent = len(sent)
            self._deadlines.end_within(self.settings.body_timeout)  # gRPC sends it, and a client may not take it
            return sent

        async def handle(_: Any, context: Context) -> bytes:
            return await self._run(path, context, answered, is_open=is_open)

        return grpc.stream_unary_rpc_method_handler(handle)

    def stream(self, path: str, answer: Callable[[Call], Awaitable[None]], *, is_open: bool = False) -> Handler:
        """Messages in and out, by `read` and `write`, as `answer` sees fit."""

        async def handle(_: Any, context: Context) -> None:
            await self._run(path, context, answer, is_open=is_open)

        return grpc.stream_stream_rpc_method_handler(handle)

    async def read(self, call: Call, *, within: float) -> bytes | None:
        """A message; None: the client has no more. Raises SlowError."""
        try:
            raw = await self._deadlines.meet(call.context.read(), within)
        except TimeoutError:
            raise SlowError(f"no message came in {within:g} s") from None
        return None if raw is grpc.aio.EOF else raw

    async def read_next(self, call: Call) -> bytes | None:
        """As `read`, of a stream that may be silent for a while. Raises EngineError when the server stops."""
        reader = asyncio.current_task()
        assert reader is not None, "called from a coroutine"  # noqa: S101
        self._readers.add(reader)
        try:
            return await self.read(call, within=0 if self.is_stopping else self.settings.stream_timeout)
        except SlowError:
            if self.is_stopping:
                raise EngineError("the server stops") from None
            raise
        finally:
            self._readers.discard(reader)

    async def watch(self) -> None:
        """End calls that do not get on, for as long as calls are taken."""
        await self._deadlines.watch()

    def stop(self) -> None:
        """Streams end: what was read is answered, and no more is read."""
        self.is_stopping = True
        for reader in self._readers:
            self._deadlines.pass_now(reader)

    async def write(self, call: Call, message: bytes) -> None:
        """Send a message. Raises SlowError for a client that does not take it."""
        within = self.settings.body_timeout
        try:
            await self._deadlines.meet(call.context.write(message), within)
        except TimeoutError:
            raise SlowError(f"a message was not taken in {within:g} s") from None
        call.sent += len(message)

    @contextmanager
    def watched(self, call: Call, *, is_traced: bool = True) -> Iterator[None]:
        """Note in the log, and in a trace where there is one, what becomes of a request in the block."""
        try:
            with nullcontext() if self._tracing is None or not is_traced else _span(self._tracing, call):
                try:
                    yield
                except asyncio.CancelledError:
                    call.failed(ClientGoneError("the client left before its answer was there"))
                    raise
                except Exception as error:
                    call.failed(error)
                    raise
        finally:
            if self._access is not None:
                self._access(_access(call))

    async def _run(self, path: str, context: Context, answer: Callable[[Call], Awaitable[T]], *, is_open: bool) -> T:
        metadata = [(key.encode(), _bytes(value)) for key, value in context.invocation_metadata() or ()]
        call = Call(path, context, self._ids.of(metadata).decode())
        context.set_trailing_metadata((("x-request-id", call.id),))
        try:
            with self.watched(call, is_traced=not is_open):
                if self.settings.keys and not is_open:
                    auth.check(dict(metadata), self.settings.keys)
                return await answer(call)
        except Exception as error:
            await context.abort(code_of(error), call.told, _trailing(call, error))
            raise  # abort has raised already


def parsed(kind: type[Request], raw: bytes) -> Request:
    """A message. Raises UsageError."""
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise UsageError(f"the message is no {kind.DESCRIPTOR.name}") from None


def _trailing(call: Call, error: Exception) -> tuple[tuple[str, str], ...]:
    """The request's id again, and where it is worth while, when to come again."""
    again = isinstance(error, OverloadedError | EngineError)
    return (("x-request-id", call.id), *([("grpc-retry-pushback-ms", _RETRY_AFTER_MS)] if again else []))


@contextmanager
def _span(tracing: "Tracing", call: Call) -> Iterator[None]:
    """Names follow https://opentelemetry.io/docs/specs/semconv/rpc/grpc/."""
    service, _, method = call.path[1:].partition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method, "lit_serve.request_id": call.id}
    with tracing.request(call.path[1:], call.context.invocation_metadata() or (), attributes) as call.span:
        try:
            yield
        finally:
            call.span.set({"rpc.grpc.status_code": call.code.value[0]})
            if call.model:
                call.span.ran(*call.model.rsplit("/", 1))


def _access(call: Call) -> Access:
    return Access(
        id=call.id,
        client=_host(call.context.peer()),
        method="GRPC",
        path=call.path,
        status=call.status,
        ms=(time.perf_counter() - call.started) * 1e3,
        bytes_out=call.sent,
        model=call.model,
        error=f"{call.code.name}: {call.told}" if call.told else "",
        trace_id=call.span.trace_id if call.span else "",
    )


def _host(peer: str) -> str:
    """Of gRPC's `ipv4:127.0.0.1:50000` or `ipv6:%5B::1%5D:50000` the address."""
    return unquote(peer.partition(":")[2].rpartition(":")[0]).strip("[]")


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
