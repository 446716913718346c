import sys

import pytest

from lit_infer.bench.served.address import parse
from lit_infer.bench.served.client import Credentials
from lit_infer.bench.served.over_grpc import GrpcClient
from lit_infer.errors import EngineError, MissingExtraError
from tests.support.server.process import Server


def test_without_grpc_the_extra_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)

    with pytest.raises(
        MissingExtraError, match=r'grpc, which is not installed. Run: pip install "lit-deploy\[serve\]"'
    ):
        GrpcClient(parse("grpc://127.0.0.1:1"), Credentials())


def test_connections_are_their_own_and_stay_open(server: Server) -> None:
    client = GrpcClient(parse(f"grpc://{server.grpc}"), Credentials())
    first, second = client.connect(), client.connect()

    first.live()
    first.close()
    second.wake()
    second.live()

    assert client.models() == ["colours"]
    second.close()
    client.close()


def test_an_answer_that_is_no_message_is_an_error() -> None:
    client = GrpcClient(parse("grpc://127.0.0.1:1"), Credentials())

    with pytest.raises(EngineError, match="does not speak the Open Inference Protocol v2 in ModelInfer"):
        client.unpack(b"\xff\xff\xff")
