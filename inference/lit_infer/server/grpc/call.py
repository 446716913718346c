"""One gRPC call, and how its outcome is reported: to the client as a code, in the log, in a trace."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import grpc

from lit_infer.errors import ExpiredError, LitError, OverloadedError
from lit_infer.server.errors import status_of, text_of
from lit_infer.server.telemetry.access_log import Access

if TYPE_CHECKING:
    from lit_infer.server.telemetry.tracing import RequestSpan, Tracing

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

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
    """A message was not sent or not received in time: HTTP 408."""

    status = 408


def code_of(error: Exception) -> grpc.StatusCode:
    """The gRPC code for an error."""
    if isinstance(error, OverloadedError):
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    if isinstance(error, ExpiredError):
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return _CODES.get(status_of(error), grpc.StatusCode.INTERNAL)


@dataclass(slots=True)
class Call:
    """One request and its outcome."""

    path: str
    context: Context
    id: str
    started: float = field(default_factory=time.perf_counter)
    code: grpc.StatusCode = grpc.StatusCode.OK
    status: int = 200
    """The equivalent HTTP status."""
    error: str = ""
    """The message for the client, if the call failed."""
    sent: int = 0
    model: str = ""
    span: "RequestSpan | None" = None

    def failed(self, error: Exception) -> None:
        """Record an error."""
        self.error, self.code, self.status = text_of(error, self.id), code_of(error), status_of(error)
        if self.status == 500 and not isinstance(error, LitError):
            log.error("request %s: %s", self.id, type(error).__name__, exc_info=error)
        if self.span is not None:
            self.span.failed(error)
            if self.status >= 500:
                self.span.is_ours(self.error)


@contextmanager
def traced(tracing: "Tracing", call: Call) -> Iterator[None]:
    """A span around the block. Names follow https://opentelemetry.io/docs/specs/semconv/rpc/grpc/."""
    service, _, method = call.path[1:].partition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method, "lit_serve.request_id": call.id}
    with tracing.request(call.path[1:], call.context.invocation_metadata() or (), attributes) as call.span:
        try:
            yield
        finally:
            call.span.set({"rpc.grpc.status_code": call.code.value[0]})
            if call.model:
                call.span.ran(*call.model.rsplit("/", 1))


def access_line(call: Call) -> Access:
    """The call's line in the access log."""
    return Access(
        id=call.id,
        client=_host(call.context.peer()),
        method="GRPC",
        path=call.path,
        status=call.status,
        ms=(time.perf_counter() - call.started) * 1e3,
        bytes_out=call.sent,
        model=call.model,
        error=f"{call.code.name}: {call.error}" if call.error else "",
        trace_id=call.span.trace_id if call.span else "",
    )


def _host(peer: str) -> str:
    """The address in gRPC's `ipv4:127.0.0.1:50000` or `ipv6:%5B::1%5D:50000`."""
    return unquote(peer.partition(":")[2].rpartition(":")[0]).strip("[]")
