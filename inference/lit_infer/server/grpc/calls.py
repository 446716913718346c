"""The outermost layer of gRPC: request ids, keys, time limits, errors as codes, the access log.

Every call is handled as a stream of bytes, which is the same on the wire. So waiting for a message has a limit, a
malformed message gets an error message of ours, and no message is read before the key is checked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from lit_infer.errors import EngineError, OverloadedError, UsageError
from lit_infer.server import auth
from lit_infer.server.errors import ClientGoneError
from lit_infer.server.grpc.call import Call, Context, SlowError, access_line, code_of, traced
from lit_infer.server.grpc.deadlines import Deadlines
from lit_infer.server.settings import Settings
from lit_infer.server.telemetry.access_log import Access
from lit_infer.server.telemetry.request_ids import RequestIds

if TYPE_CHECKING:
    from lit_infer.server.telemetry.tracing import Tracing

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Request = TypeVar("Request", bound=Message)
T = TypeVar("T")

_RETRY_AFTER_MS = "1000"
_STOPS = "the server is stopping"
_QUIET_S, _MOST_LOOKS = 0.2, 5


class Calls:
    """Makes the handlers of a server's methods."""

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
        self._ids = RequestIds()
        self.deadlines = Deadlines()
        self._readers: set[asyncio.Task[Any]] = set()
        """Tasks of streams that wait for a message."""
        self._begun = 0
        self._under_way = 0
        """Calls that were accepted, and whose answer is not completely on the client's connection yet."""
        self._is_last_answered = asyncio.Event()
        self.is_stopping = False

    def unary(
        self, path: str, kind: type[Request], answer: Callable[[Request, Call], Awaitable[Message]], *, is_open: bool
    ) -> Handler:
        """One message in, one out. `is_open`: no key is required."""

        async def answered(call: Call) -> bytes:
            raw = await self.read(call, within=self.settings.body_timeout)
            if raw is None:
                raise UsageError(f"{path} takes one message of at most {self.settings.max_body:,} bytes; none was sent")
            sent: bytes = (await answer(parsed(kind, raw), call)).SerializeToString()
            call.sent = len(sent)
            return sent

        async def handle(_: Any, context: Context) -> bytes:
            return await self._run(path, context, answered, is_open=is_open)

        return grpc.stream_unary_rpc_method_handler(handle)

    def stream(self, path: str, answer: Callable[[Call], Awaitable[None]], *, is_open: bool = False) -> Handler:
        """Any number of messages in and out; `answer` calls `read` and `write`."""

        async def handle(_: Any, context: Context) -> None:
            await self._run(path, context, answer, is_open=is_open)

        return grpc.stream_stream_rpc_method_handler(handle)

    async def read(self, call: Call, *, within: float) -> bytes | None:
        """The next message, or None at the end of the stream. Raises SlowError."""
        try:
            raw = await self.deadlines.meet(call.context.read(), within)
        except TimeoutError:
            raise SlowError(f"no message arrived within {within:g} s") from None
        return None if raw is grpc.aio.EOF else raw

    async def read_next(self, call: Call) -> bytes | None:
        """As `read`, for a stream that may be idle for a while. Raises EngineError when the server stops."""
        reader = asyncio.current_task()
        assert reader is not None, "called from a coroutine"  # noqa: S101
        self._readers.add(reader)
        try:
            return await self.read(call, within=0 if self.is_stopping else self.settings.stream_timeout)
        except SlowError:
            if self.is_stopping:
                raise EngineError(_STOPS) from None
            raise
        finally:
            self._readers.discard(reader)

    async def stop(self, within: float) -> None:
        """Refuse new calls from now on, and end streams once the messages that were read are answered.

        Returns when no more calls arrive and all accepted ones are answered, or after `within` seconds. gRPC's own
        stop reports calls that arrive at that time as cancelled, which clients do not retry elsewhere; and it closes a
        connection right after its last answer, which the kernel discards if the client has sent anything meanwhile.
        With no answer outstanding, gRPC closes once the client has read everything.
        """
        self.is_stopping = True
        for reader in self._readers:
            self.deadlines.pass_now(reader)
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._quiet()
                if self._under_way:
                    await self._is_last_answered.wait()

    async def _quiet(self) -> None:
        """Return when no more calls arrive."""
        for _ in range(_MOST_LOOKS):
            before = self._begun
            await asyncio.sleep(_QUIET_S)
            if self._begun == before:
                return

    async def write(self, call: Call, message: bytes) -> None:
        """Send a message. Raises SlowError if the client does not receive it."""
        within = self.settings.body_timeout
        try:
            await self.deadlines.meet(call.context.write(message), within)
        except TimeoutError:
            raise SlowError(f"the client did not receive a message within {within:g} s") from None
        call.sent += len(message)

    @contextmanager
    def watched(self, call: Call, *, is_traced: bool = True) -> Iterator[None]:
        """Record the outcome of the block's request in the access log and, if tracing, in a span."""
        try:
            with nullcontext() if self._tracing is None or not is_traced else traced(self._tracing, call):
                try:
                    yield
                except asyncio.CancelledError:
                    call.failed(ClientGoneError("the client left before it was answered"))
                    raise
                except Exception as error:
                    call.failed(error)
                    raise
        finally:
            if self._access is not None:
                self._access(access_line(call))

    async def _run(self, path: str, context: Context, answer: Callable[[Call], Awaitable[T]], *, is_open: bool) -> T:
        metadata = [(key.encode(), _bytes(value)) for key, value in context.invocation_metadata() or ()]
        call = Call(path, context, self._ids.of(metadata).decode())
        self._begun += 1
        context.set_trailing_metadata((("x-request-id", call.id),))
        try:
            with self.watched(call, is_traced=not is_open):
                if not is_open:
                    self._check(metadata)
                self._under_way += 1
                context.add_done_callback(self._answered)  # type: ignore[arg-type]  # stub: not a function
                return await answer(call)
        except Exception as error:
            await context.abort(code_of(error), call.error, _trailing(call, error))
            raise  # abort has raised already

    def _check(self, metadata: list[tuple[bytes, bytes]]) -> None:
        if self.settings.keys:
            auth.check(dict(metadata), self.settings.keys)
        if self.is_stopping:
            raise EngineError(_STOPS)

    def _answered(self, _: Context) -> None:
        self._under_way -= 1
        if self.is_stopping and not self._under_way:
            self._is_last_answered.set()


def parsed(kind: type[Request], raw: bytes) -> Request:
    """Parse a message. Raises UsageError."""
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise UsageError(f"the message is not a valid {kind.DESCRIPTOR.name}") from None


def _trailing(call: Call, error: Exception) -> tuple[tuple[str, str], ...]:
    """The request's id again and, where retrying makes sense, when to retry."""
    again = isinstance(error, OverloadedError | EngineError)
    return (("x-request-id", call.id), *([("grpc-retry-pushback-ms", _RETRY_AFTER_MS)] if again else []))


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
