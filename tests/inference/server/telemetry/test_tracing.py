"""What a trace says of a request: whose child it is, how long its stages took, what went wrong."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lit_infer.errors import NotFoundError
from lit_infer.server.app import create_app
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import ModelSource
from lit_infer.server.telemetry.access_log import AccessLog
from lit_infer.server.telemetry.tracing import Tracing
from tests.support.server.client import Client
from tests.support.server.engine import CPU, Engine
from tests.support.server.requests import GOOD, INFER, png, tensor

pytest.importorskip("opentelemetry.sdk", reason='needs pip install "lit-deploy[trace]"')

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = ["queue", "compute_input", "compute_infer", "compute_output"]


class Traced:
    """A client of an app that traces, and the spans that it has made."""

    def __init__(self, repository: Repository, **app: Any) -> None:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider)
        self.client = Client(create_app(repository, tracing=self.tracing, **app))

    def spans(self) -> list[Any]:
        """Those that have ended since the last call, in this order."""
        found = list(self._exporter.get_finished_spans())
        self._exporter.clear()
        return found

    def close(self) -> None:
        self.client.close()
        self.tracing.close()


@pytest.fixture
def traced(repository: Repository) -> Iterator[Traced]:
    made = Traced(repository)
    yield made
    made.close()


def headers(flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{TRACE}-{PARENT}-{flags}", "tracestate": "vendor=1"}


def test_a_request_is_a_server_span_below_its_callers_with_a_span_for_each_stage(traced: Traced) -> None:
    answer = traced.client.post(INFER, **GOOD, headers={**headers(), "X-Request-ID": "r-1", "User-Agent": "me"})
    *stages, request = traced.spans()

    assert answer.status_code == 200
    assert (request.name, request.kind.name) == ("POST /v2/models/{name}/infer", "SERVER")
    assert f"{request.context.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == PARENT
    assert request.context.trace_state["vendor"] == "1"
    found = dict(request.attributes)
    assert {key: found[key] for key in found if not key.startswith(("client", "server", "network"))} == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v2/models/{name}/infer",
        "lit_serve.model.name": "colours",
        "lit_serve.model.version": "1",
        "lit_serve.request_id": "r-1",
        "lit_serve.rows": 1,
        "url.path": INFER,
        "url.scheme": "http",
        "user_agent.original": "me",
    }
    assert [span.name for span in stages] == STAGES
    assert {span.parent.span_id for span in stages} == {request.context.span_id}
    assert request.status.status_code.name == "UNSET"


def test_stages_follow_each_other_within_the_request_and_are_as_long_as_statistics_say(
    traced: Traced, repository: Repository
) -> None:
    def counted() -> dict[str, int]:
        (stats,) = traced.client.get("/v2/models/colours/stats").json()["model_stats"]
        return {stage: stats["inference_stats"][stage]["ns"] for stage in STAGES}

    before = counted()
    traced.client.post("/predict", content=png())
    after = counted()
    *stages, request = [span for span in traced.spans() if "stats" not in span.name]

    times = [time for span in stages for time in (span.start_time, span.end_time)]
    assert times == sorted(times)
    assert request.start_time <= times[0]
    assert times[-1] <= request.end_time
    for span in stages:
        assert abs(span.end_time - span.start_time - (after[span.name] - before[span.name])) < 1000  # ns, by rounding


def test_a_caller_that_does_not_sample_gets_no_spans_and_still_its_trace_id_in_the_log(repository: Repository) -> None:
    stream = io.StringIO()
    log = AccessLog(stream)
    traced = Traced(repository, access=log)

    for flags in ("00", "01"):
        traced.client.post(INFER, **GOOD, headers=headers(flags))
        assert len(traced.spans()) == (5 if flags == "01" else 0)
    traced.client.get("/v2/models")
    (own,) = traced.spans()
    traced.close()
    log.flush()

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["trace_id"] for line in lines] == [TRACE, TRACE, f"{own.context.trace_id:032x}"]
    assert own.parent is None
    assert all(line["id"] for line in lines)


def test_without_tracing_the_log_has_no_trace_id(repository: Repository) -> None:
    stream = io.StringIO()
    log = AccessLog(stream)
    client = Client(create_app(repository, access=log))
    client.post(INFER, **GOOD, headers=headers())
    client.close()
    log.flush()

    assert "trace_id" not in json.loads(stream.getvalue())


@pytest.mark.parametrize("value", ["", "junk", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{PARENT}-01", "0" * 2000])
def test_a_trace_parent_that_makes_no_sense_begins_a_new_trace(traced: Traced, value: str) -> None:
    assert traced.client.post(INFER, **GOOD, headers={"traceparent": value}).status_code == 200

    request = traced.spans()[-1]
    assert request.parent is None
    assert f"{request.context.trace_id:032x}" != TRACE


def test_a_clients_mistake_is_an_event_and_no_error_of_the_server(traced: Traced) -> None:
    traced.client.post(INFER, json={"inputs": [tensor(shape=[2])]})
    traced.client.get("/v3")
    refused, lost = traced.spans()

    assert refused.attributes["http.response.status_code"] == 400
    assert (refused.attributes["error.type"], refused.status.status_code.name) == ("UsageError", "UNSET")
    (event,) = refused.events
    assert event.name == "exception"
    assert "images" in event.attributes["exception.message"]
    assert (lost.name, lost.attributes["http.response.status_code"]) == ("GET", 404)


def test_an_error_of_the_servers_own_is_one_of_the_span_with_its_traceback(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = Traced(repository)

    def breaks() -> bool:
        raise RuntimeError("a bug")

    monkeypatch.setattr(repository, "is_ready", breaks)
    monkeypatch.setattr(Tracing, "unseen", frozenset[str]())
    assert traced.client.get("/v2/health/ready").status_code == 500
    (span,) = traced.spans()

    assert (span.status.status_code.name, span.attributes["error.type"]) == ("ERROR", "RuntimeError")
    assert "a bug" in span.events[0].attributes["exception.stacktrace"]
    traced.close()


def test_an_engine_that_fails_is_an_error_of_the_span(proven: Path) -> None:
    engine = Engine(proven)
    repository = Repository([ModelSource("colours")], CPU, open_one=engine.open)
    traced = Traced(repository)
    engine.fails, engine.fails_to_open = lambda _: True, 1000

    traced.client.post(INFER, **GOOD)
    (span,) = traced.spans()

    assert (span.status.status_code.name, span.attributes["http.response.status_code"]) == ("ERROR", 503)
    assert span.attributes["error.type"] == "EngineError"
    traced.close()
    repository.close()


def test_probes_and_scrapes_are_not_traced(traced: Traced) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/metrics"):
        assert traced.client.get(path, headers=headers()).status_code == 200

    assert traced.spans() == []


def test_a_word_that_is_no_method_does_not_name_a_span(traced: Traced) -> None:
    runner = traced.client._runner
    runner.run(traced.client._client.request("BREW", "/v2"))
    (span,) = traced.spans()

    assert span.name == "HTTP /v2"
    assert span.attributes["http.request.method"] == "_OTHER"
    assert span.attributes["http.request.method_original"] == "BREW"


def test_grpcs_metadata_carries_the_context_as_well(traced: Traced) -> None:
    metadata = [("traceparent", headers()["traceparent"]), ("image-bin", b"\xff\x00")]
    with traced.tracing.request("inference.GRPCInferenceService/ModelInfer", metadata, {"rpc.system": "grpc"}) as span:
        span.ran("colours", "1")
        assert span.trace_id == TRACE
    with pytest.raises(KeyError), traced.tracing.request("other", [], {}):
        raise KeyError("x")
    with pytest.raises(NotFoundError), traced.tracing.request("third", [], {}):
        raise NotFoundError("a client's mistake")

    first, second, third = traced.spans()
    assert f"{first.parent.span_id:016x}" == PARENT
    assert dict(first.attributes) == {
        "rpc.system": "grpc",
        "lit_serve.model.name": "colours",
        "lit_serve.model.version": "1",
    }
    assert (second.status.status_code.name, second.attributes["error.type"]) == ("ERROR", "KeyError")
    assert (third.status.status_code.name, third.attributes["error.type"]) == ("UNSET", "NotFoundError")


def test_closing_waits_for_no_collector_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    go_on = threading.Event()

    class Stuck(SpanProcessor):
        def shutdown(self) -> None:
            go_on.wait(20)

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Stuck())
    with caplog.at_level(logging.WARNING, "lit_serve"):
        Tracing(provider).close(within=0.01)
    go_on.set()

    assert "they are lost" in caplog.text
