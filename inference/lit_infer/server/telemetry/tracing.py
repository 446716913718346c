"""OpenTelemetry traces: a span per request, with a child span per stage of its inference.

OpenTelemetry is not imported unless the server traces, which `trace_setup` decides. Names follow
https://opentelemetry.io/docs/specs/semconv/http/http-spans/; names that it does not define begin with `lit_serve.`.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.types import Scope

from lit_infer.errors import LitError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

    from lit_infer.server.results import Result

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_LONGEST = 600  # characters of anything that a client sent
_CLOSE_S = 2.0
log = logging.getLogger("lit_serve")


class Tracing:
    """Makes the spans of a server's requests. Any thread may call it."""

    unseen = frozenset({"/v2/health/live", "/v2/health/ready", "/metrics"})
    """Paths without spans: they are polled every few seconds, for ever."""

    def __init__(self, provider: "TracerProvider") -> None:
        """`provider` samples and exports the spans; `close` shuts it down."""
        from opentelemetry.propagate import get_global_textmap
        from opentelemetry.trace import SpanKind

        from lit_infer import __version__

        self._provider = provider
        self._tracer = provider.get_tracer("lit_serve", __version__)
        self._propagator = get_global_textmap()
        self._kind = SpanKind.SERVER

    @contextmanager
    def request(
        self,
        name: str,
        headers: Iterable[tuple[str | bytes, str | bytes]],
        attributes: Mapping[str, str | int | float],
    ) -> Iterator["RequestSpan"]:
        """A span around the block, as a child of the caller's span in the request's headers (or gRPC's metadata)."""
        context = self._propagator.extract(_carrier(headers))
        span = self._tracer.start_span(name, context, kind=self._kind, attributes=attributes)
        request = RequestSpan(self._tracer, span)
        try:
            yield request
        except Exception as error:
            request.failed(error)
            if not isinstance(error, LitError) or error.status >= 500:
                request.is_ours(str(error))
            raise
        finally:
            span.end()

    @contextmanager
    def http(self, scope: Scope, request_id: str) -> Iterator["RequestSpan"]:
        """As `request`, for an ASGI scope."""
        attributes = {**_http_attributes(scope), "lit_serve.request_id": request_id}
        with self.request(_method(scope), scope["headers"], attributes) as span:
            yield span

    def close(self, *, within: float = _CLOSE_S) -> None:
        """Send the remaining spans, but wait for the collector for at most `within` seconds."""
        closing = threading.Thread(target=self._provider.shutdown, name="lit-trace-close", daemon=True)
        closing.start()
        closing.join(within)
        if closing.is_alive():
            log.warning("traces: the collector did not accept the last spans within %g s; they are lost", within)


class RequestSpan:
    """The span of one request."""

    def __init__(self, tracer: "Tracer", span: "Span") -> None:
        self._tracer = tracer
        self._span = span
        self._has_failed = False

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits, even if the trace is not sampled."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def set(self, attributes: Mapping[str, str | int | float]) -> None:
        """Set attributes of the span, such as `{"rpc.grpc.status_code": 0}`."""
        self._span.set_attributes(attributes)

    def ran(self, model: str, version: str) -> None:
        """Record the model."""
        self.set({"lit_serve.model.name": model, "lit_serve.model.version": version})

    def stages(self, result: "Result", output_s: float) -> None:
        """Record the stages of an inference as spans. Its answer is ready now, and took `output_s` seconds to write.

        Their durations are those of /stats: the request's share of the batch's time.
        """
        if not self._span.is_recording():
            return
        from opentelemetry.trace import set_span_in_context

        below = set_span_in_context(self._span)
        now, clock = time.time_ns(), time.perf_counter()
        output = now - _ns(output_s)
        begin = now - _ns(clock - result.submitted)
        for stage in ("queue", "compute_input", "compute_infer"):
            end = min(begin + _ns(getattr(result, stage)), output)  # parts of a large request may run at the same time
            self._tracer.start_span(stage, below, start_time=begin).end(end)
            begin = end
        self._tracer.start_span("compute_output", below, start_time=output).end(now)
        self.set({"lit_serve.rows": result.rows})

    def failed(self, error: Exception) -> None:
        """Record the first error; an unexpected one with its traceback."""
        if self._has_failed:
            return
        self._has_failed = True
        kind = type(error).__name__
        self.set({"error.type": kind})
        if isinstance(error, LitError):
            self._span.add_event("exception", {"exception.type": kind, "exception.message": str(error)[:_LONGEST]})
        else:
            self._span.record_exception(error)

    def is_ours(self, text: str = "") -> None:
        """Set the span's status to "error": the failure is the server's fault, not the client's."""
        from opentelemetry.trace import Status, StatusCode

        self._span.set_status(Status(StatusCode.ERROR, text[:_LONGEST] or None))

    def answered_http(self, scope: Scope, status: int, model: str) -> None:
        """Record the outcome of an HTTP request. `model`: NAME/VERSION, or empty."""
        if model:
            self.ran(*model.rsplit("/", 1))
        if route := getattr(scope.get("route"), "path", ""):
            self._span.update_name(f"{_method(scope)} {route}")
            self.set({"http.route": route})
        if status:
            self.set({"http.response.status_code": status})
        if status >= 500:
            self.is_ours()
            if not self._has_failed:
                self.set({"error.type": str(status)})


def _method(scope: Scope) -> str:
    """The method, if it is a known one: clients may send any word, but span names should be few."""
    return scope["method"] if scope["method"] in _METHODS else "HTTP"


def _http_attributes(scope: Scope) -> dict[str, str | int | float]:
    headers = dict(scope["headers"])
    method = scope["method"]
    found: dict[str, str | int | float] = {
        "http.request.method": method if method in _METHODS else "_OTHER",
        "url.path": scope["path"][:_LONGEST],
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    if method not in _METHODS:
        found["http.request.method_original"] = method[:_LONGEST]
    for key, pair in (("client", scope.get("client")), ("server", scope.get("server"))):
        if pair:
            found[f"{key}.address"], found[f"{key}.port"] = pair[0], pair[1]
    if agent := headers.get(b"user-agent"):
        found["user_agent.original"] = agent.decode("latin-1")[:_LONGEST]
    return found


def _carrier(headers: Iterable[tuple[str | bytes, str | bytes]]) -> dict[str, list[str]]:
    """Headers as propagators read them. A header that is sent twice has both values."""
    carrier: dict[str, list[str]] = {}
    for name, value in headers:
        carrier.setdefault(_text(name).lower(), []).append(_text(value))
    return carrier


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
