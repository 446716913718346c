"""When a server traces, where its spans go, and what happens when they cannot be sent."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from lit_infer.errors import UsageError
from lit_infer.server.telemetry.trace_setup import start
from tests.inference.tiny import without
from tests.support.server.process import command
from tests.support.server.requests import png

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason='needs pip install "lit-deploy[trace]"')
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """An OTLP collector on loopback: its address, and the path and body of each thing that it was sent."""
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", got
        finally:
            server.shutdown()
            thread.join()


def test_a_server_sends_its_spans_to_the_collector_before_it_ends(
    proven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    with collector() as (address, got):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        with command(str(proven), cwd=tmp_path) as server:
            parent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
            assert httpx.post(server.url + "/predict", content=png(), headers=parent).status_code == 200
            assert server.stop() == 0
            assert server.process.stderr is not None
            told = server.process.stderr.read()

    assert f'"trace_id":"{TRACE}"' in told
    ((path, body),) = got
    assert path == "/v1/traces"
    (sent,) = ExportTraceServiceRequest.FromString(body).resource_spans
    about = {one.key: one.value.string_value for one in sent.resource.attributes}
    assert (about["service.name"], about["deployment.environment.name"]) == ("lit-serve", "test")
    spans = {span.name: span for span in sent.scope_spans[0].spans}
    assert set(spans) == {"POST /predict", "queue", "compute_input", "compute_infer", "compute_output"}
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}


def test_a_collector_that_does_not_answer_holds_up_neither_requests_nor_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")  # so that its thread ends soon after the test
        tracing = start(asked=False)
        assert tracing is not None
        for _ in range(5000):  # more than the queue of spans holds
            with tracing.request("GET", [], {}):
                pass
        tracing.close(within=0.05)

    assert "the collector did not accept the last spans" in caplog.text


def test_nothing_of_opentelemetry_is_imported_where_nobody_asks_for_traces() -> None:
    code = (
        "import sys; from lit_infer.server import cli, app, run; from lit_infer.server.http import predict\n"
        "from lit_infer.server.telemetry import trace_setup\n"
        "assert trace_setup.start(asked=False) is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_without_the_extra_an_explicit_ask_is_refused_and_variables_bring_a_warning(tmp_path: Path) -> None:
    code = (
        "import os; from lit_infer.server.telemetry.trace_setup import start\n"
        "os.environ['OTEL_TRACES_EXPORTER'] = 'otlp'\n"
        "assert start(asked=False) is None\n"
        "try: start(asked=True)\n"
        "except ImportError as error: print(error)"
    )
    environment = {**os.environ, **without(tmp_path / "hide", "opentelemetry")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    for told in (done.stdout, done.stderr):
        assert 'pip install "lit-deploy[trace]"' in told
    assert "there will be none" in done.stderr


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, "traces of lit-serve go to console"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "traces of lit-serve go to http://localhost:4318 by http/protobuf"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:secret@127.0.0.1:9", "OTEL_SERVICE_NAME": "cats"},
            "traces of cats go to http://127.0.0.1:9 by http/protobuf",
        ),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/in"}, "go to http://127.0.0.1:9/in"),
    ],
)
def test_variables_alone_switch_it_on_and_the_start_says_where_traces_go(
    variables: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.INFO, "lit_serve"):
        tracing = start(asked=False)

    assert tracing is not None
    tracing.close()
    assert told in caplog.text
    assert "secret" not in caplog.text


def test_without_being_asked_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(asked=False) is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert start(asked=False) is None
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert start(asked=False) is None


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"OTEL_TRACES_EXPORTER": "none"}, "--trace, but OTEL_TRACES_EXPORTER is none"),
        ({"OTEL_SDK_DISABLED": "true"}, "--trace, but OTEL_SDK_DISABLED is true"),
        ({"OTEL_TRACES_EXPORTER": "nobody"}, "no trace exporter nobody is installed"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "supported are http/protobuf and grpc"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"},
            "'collector:4317', not a URL such as http://localhost:4318",
        ),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "0"}, "max_queue_size must be a positive integer"),
    ],
)
def test_variables_that_make_no_sense_are_refused(
    variables: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(UsageError) as refused:
        start(asked=True)
    assert told in str(refused.value)
