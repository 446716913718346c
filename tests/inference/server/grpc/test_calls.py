"""What every call has: a code for each error, a request id, a key, a line in the log, limits of size and time."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from lit_infer.server.grpc import inference_pb2 as pb
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import ModelSource, parse
from lit_infer.server.oip import describe
from lit_infer.server.settings import Settings
from lit_infer.server.telemetry.tracing import Tracing
from tests.inference.tiny import colour
from tests.support.server.engine import CPU, Engine
from tests.support.server.proven import expected
from tests.support.server.rig import Rig, asked, probabilities, until

BLUE = colour("blue")[None]
ONE_BY_ONE = Opening(device="cpu", max_batch=1)


@pytest.fixture
def busy(proven: Path) -> Iterator["Busy"]:
    """A server all of whose workers are busy until it is to finish, and its queue empty."""
    opened = Busy(proven)
    yield opened
    opened.finish()
    opened.rig.close()


class Busy:
    def __init__(self, bundle: Path) -> None:
        engine, self._go_on = Engine(bundle), threading.Event()
        engine.fails = lambda _: not self._go_on.wait(20)
        self.repository = Repository([ModelSource("colours")], ONE_BY_ONE, open_one=engine.open)
        self.rig = Rig(self.repository, Settings(timeout=60))
        served = self.repository.slots[0].served
        assert served is not None
        self.served, self.stats = served, served.stats
        self.rig.run(self._occupy())

    async def _occupy(self) -> None:
        for _ in range(self.served.opened.count):
            self.served.runner.submit_arrays((BLUE,), timeout=None)
            await until(lambda: not self.served.runner.waiting)

    def finish(self) -> None:
        """The workers go on, and all that they have is answered."""
        self._go_on.set()
        self.repository.close()


@pytest.mark.parametrize(
    ("method", "request_", "code", "said"),
    [
        ("ModelInfer", asked(BLUE, model_name="none"), "NOT_FOUND", "no model none"),
        ("ModelInfer", asked(BLUE, model_version="9"), "NOT_FOUND", "no version 9"),
        ("ModelMetadata", pb.ModelMetadataRequest(), "NOT_FOUND", "no model"),
        ("ModelReady", pb.ModelReadyRequest(name="none"), "NOT_FOUND", "no model none"),
        ("ModelStatistics", pb.ModelStatisticsRequest(name="none"), "NOT_FOUND", "no model none"),
        ("ModelInfer", asked(BLUE[0]), "INVALID_ARGUMENT", "images must be"),
        ("ModelInfer", b"\xff\xff\xff", "INVALID_ARGUMENT", "the message is not a valid ModelInferRequest"),
        ("ServerLive", b"\x08", "INVALID_ARGUMENT", "the message is not a valid ServerLiveRequest"),
    ],
)
def test_codes(rig: Rig, method: str, request_: Any, code: str, said: str) -> None:
    error = rig.refused(method, request_)

    assert error.code().name == code
    assert said in str(error.details())


def test_an_unreadable_image_is_invalid_and_named(rig: Rig) -> None:
    request = pb.ModelInferRequest(model_name="colours")
    request.inputs.add(name="images", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"no image")

    error = rig.refused("ModelInfer", request)

    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "image" in str(error.details())


def test_methods_that_are_not_here_are_unimplemented(rig: Rig) -> None:
    async def story() -> None:
        await rig.channel.unary_unary("/inference.GRPCInferenceService/TraceSetting")(b"")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        rig.run(story())

    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_what_nobody_meant_to_raise_is_logged_and_not_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def config(*_: Any) -> None:
        raise RuntimeError("secret 0x7f")

    monkeypatch.setattr(describe, "config", config)
    with caplog.at_level(logging.ERROR, "lit_serve"):
        error = rig.refused("ModelConfig", pb.ModelConfigRequest(name="colours"), metadata=(("x-request-id", "r9"),))

    assert error.code() == grpc.StatusCode.INTERNAL
    assert error.details() == "internal error; the server's log has it as request r9"
    assert "request r9" in caplog.text
    assert "secret 0x7f" in caplog.text


def test_an_engine_that_dies_is_unavailable_and_says_when_to_come_again(proven: Path) -> None:
    engine = Engine(proven)
    engine.fails = lambda _: True
    repository = Repository([ModelSource("colours")], CPU, open_one=engine.open)
    engine.fails_to_open = 1000
    rig = Rig(repository)

    errors = [rig.refused("ModelInfer", asked(BLUE)) for _ in range(2)]

    for error in errors:
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert "0x7f" not in str(error.details())
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
    assert rig.logged[0].status == 503
    assert not rig.ask("ServerReady", pb.ServerReadyRequest()).ready
    rig.close()
    repository.close()


def test_a_full_queue_is_exhausted_at_once_and_answers_each_call_once(proven: Path) -> None:
    repository = Repository(parse([str(proven)]), Opening(device="cpu", max_batch=64, max_delay=0.2, max_items=5))
    rig = Rig(repository)

    answers = rig.asks("ModelInfer", [asked(BLUE)] * 20)

    good = [answer for answer in answers if isinstance(answer, pb.ModelInferResponse)]
    refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert len(good) == 5
    assert {error.code() for error in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert {dict(error.trailing_metadata())["grpc-retry-pushback-ms"] for error in refused} == {"1000"}
    assert "are already waiting" in str(refused[0].details())
    rig.close()
    repository.close()


def test_a_timeout_that_passes_in_the_queue_is_told(rig: Rig) -> None:
    request = asked(BLUE)
    request.parameters["timeout"].int64_param = 1

    error = rig.refused("ModelInfer", request)

    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert "timeout" in str(error.details())


@pytest.mark.parametrize("how", ["deadline", "cancelled", "closed"])
def test_a_client_that_waits_no_longer_is_dropped_before_inference(busy: Busy, how: str) -> None:
    async def story() -> None:
        call = busy.rig.start("ModelInfer", asked(BLUE), timeout=0.1 if how == "deadline" else None)
        await until(lambda: busy.served.runner.waiting == 1)
        if how == "cancelled":
            call.cancel()
        elif how == "closed":
            await busy.rig.channel.close()
        await until(lambda: busy.stats.failures.total() == 1 and bool(busy.rig.logged))
        await asyncio.gather(call, return_exceptions=True)

    busy.rig.run(story())
    (line,) = busy.rig.logged
    busy.finish()

    assert line.status in (499, 503)  # of a deadline both sides take note, and either may be first
    assert line.model == "colours/1"
    assert busy.stats.executions == busy.served.opened.count


def test_every_answer_has_a_request_id_and_keeps_the_clients(rig: Rig) -> None:
    async def story(*metadata: tuple[str, str]) -> str:
        call = rig.start("ServerLive", pb.ServerLiveRequest(), metadata=metadata)
        await call
        found: str = dict(await call.trailing_metadata())["x-request-id"]
        return found

    own = rig.run(story(("x-request-id", "abc-1")))
    others = [rig.run(story()), rig.run(story(("x-request-id", "a b")))]
    error = rig.refused("ModelReady", pb.ModelReadyRequest(name="none"), metadata=(("x-request-id", "abc-2"),))

    assert own == "abc-1"
    assert len({own, "a b", *others}) == 4
    assert dict(error.trailing_metadata())["x-request-id"] == "abc-2"


def test_each_call_is_a_line_in_the_log(rig: Rig) -> None:
    rig.logged.clear()
    answer = rig.ask("ModelInfer", asked(BLUE), metadata=(("x-request-id", "r1"),))
    rig.refused("ModelInfer", asked(BLUE, model_name="none"))

    good, bad = rig.logged
    path = "/inference.GRPCInferenceService/ModelInfer"
    assert (good.method, good.path, good.status, good.id, good.model) == ("GRPC", path, 200, "r1", "colours/1")
    assert (good.client, good.bytes_out) == ("127.0.0.1", answer.ByteSize())
    assert good.ms > 0
    assert (bad.status, bad.error.partition(":")[0]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("metadata", "is_open"),
    [
        ((), False),
        ((("authorization", "Bearer two"),), True),
        ((("authorization", "bearer one"),), True),
        ((("x-api-key", "one"),), True),
        ((("x-api-key", "on"),), False),
        ((("authorization", "Basic one"),), False),
    ],
)
def test_only_a_key_opens_the_server(keyed: Rig, metadata: tuple[tuple[str, str], ...], is_open: bool) -> None:
    reflection = keyed.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")

    def messages(one: Any) -> Iterator[Any] | None:
        """None for a stream that will be refused: grpc.aio tells INTERNAL where its write meets the refusal.

        https://github.com/grpc/grpc/issues/36066
        """
        return iter([one]) if is_open else None

    async def codes() -> list[grpc.StatusCode]:
        streams = [
            keyed.start("ModelStreamInfer", messages(asked(BLUE)), metadata=metadata),
            reflection(messages(b""), metadata=metadata),
        ]
        for stream in streams:
            with suppress(grpc.aio.AioRpcError):
                await stream.read()
        calls = [keyed.start("ModelInfer", asked(BLUE), metadata=metadata), *streams]
        return [await call.code() for call in calls]

    expected_code = grpc.StatusCode.OK if is_open else grpc.StatusCode.UNAUTHENTICATED
    assert keyed.run(codes()) == [expected_code] * 3


@pytest.fixture(scope="module")
def keyed(repository: Repository) -> Iterator[Rig]:
    """Two keys open it."""
    opened = Rig(repository, Settings(keys=(b"one", b"two")))
    yield opened
    opened.close()


def test_probes_need_no_key(keyed: Rig) -> None:
    assert keyed.ask("ServerLive", pb.ServerLiveRequest()).live
    assert keyed.ask("ServerReady", pb.ServerReadyRequest()).ready
    assert keyed.ask("Check", b"").status == 1


@pytest.fixture(scope="module")
def small(repository: Repository) -> Iterator[Rig]:
    """Messages of 100 kB, and half a second for them."""
    opened = Rig(repository, Settings(max_body=100_000, max_header=4000, body_timeout=0.1))
    yield opened
    opened.close()


@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_a_message_may_be_compressed_and_not_too_large_before_or_after(small: Rig, compression: Any) -> None:
    images = np.stack([BLUE[0]] * 400)
    bomb = asked(np.zeros((200_000, 8, 8, 3), np.uint8))  # 38 MB of zeros, 40 kB of gzip

    answer = small.ask("ModelInfer", asked(images), compression=compression)
    error = small.refused("ModelInfer", bomb, compression=compression)

    assert np.allclose(probabilities(answer), expected(images))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in str(error.details())


def test_long_metadata_is_refused(small: Rig) -> None:
    error = small.refused("ServerLive", pb.ServerLiveRequest(), metadata=(("x", "y" * 5000),))

    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("path", ["inference.GRPCInferenceService/ModelInfer", "grpc.health.v1.Health/Watch"])
def test_a_message_that_does_not_come_is_not_waited_for(small: Rig, path: str) -> None:
    async def story() -> tuple[grpc.StatusCode, str]:
        call = small.channel.stream_stream(f"/{path}")()  # no message, and no end of them
        return await call.code(), await call.details()

    assert small.run(story()) == (grpc.StatusCode.DEADLINE_EXCEEDED, "no message arrived within 0.1 s")


def test_a_call_without_a_message_is_told_so(small: Rig) -> None:
    async def story() -> tuple[grpc.StatusCode, str]:
        call = small.channel.stream_stream("/inference.GRPCInferenceService/ServerLive")(iter(()))
        return await call.code(), await call.details()

    code, said = small.run(story())

    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "one message of at most 100,000 bytes; none was sent" in said


def test_a_call_is_a_span_below_its_callers(repository: Repository) -> None:
    pytest.importorskip("opentelemetry.sdk", reason='needs pip install "lit-deploy[trace]"')
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    rig = Rig(repository, tracing=Tracing(provider))
    parent = ("traceparent", f"00-{'4b' * 16}-{'f0' * 8}-01")

    rig.ask("ModelInfer", asked(BLUE), metadata=(parent,))
    rig.ask("ServerReady", pb.ServerReadyRequest())
    rig.refused("ModelInfer", asked(BLUE, model_name="none"))
    rig.close()

    *stages, good, bad = exporter.get_finished_spans()
    assert [stage.name for stage in stages] == ["queue", "compute_input", "compute_infer", "compute_output"]
    assert (good.name, f"{good.context.trace_id:032x}") == ("inference.GRPCInferenceService/ModelInfer", "4b" * 16)
    assert good.attributes["rpc.grpc.status_code"] == 0
    assert good.attributes["lit_serve.model.name"] == "colours"
    assert bad.attributes["rpc.grpc.status_code"] == grpc.StatusCode.NOT_FOUND.value[0]
    assert rig.logged[0].trace_id == "4b" * 16
    provider.shutdown()
