"""Errors become codes, and a call becomes a line in the log."""

import logging
from typing import Any

import grpc
import pytest

from lit_infer.errors import EngineError, ExpiredError, InputError, NotFoundError, OverloadedError, UsageError
from lit_infer.server.auth import UnauthorizedError
from lit_infer.server.errors import ClientGoneError, UnsupportedError
from lit_infer.server.grpc.call import Call, SlowError, access_line, code_of


class Peer:
    """What a call asks of gRPC's context."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer


def call(peer: str = "ipv4:127.0.0.1:50000") -> Call:
    context: Any = Peer(peer)
    return Call("/service/Method", context, "r1")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), "INVALID_ARGUMENT"),
        (InputError("x", code="unreadable"), "INVALID_ARGUMENT"),
        (UnauthorizedError("x"), "UNAUTHENTICATED"),
        (NotFoundError("x"), "NOT_FOUND"),
        (SlowError("x"), "DEADLINE_EXCEEDED"),
        (ExpiredError("x"), "DEADLINE_EXCEEDED"),
        (OverloadedError("x"), "RESOURCE_EXHAUSTED"),
        (ClientGoneError("x"), "CANCELLED"),
        (UnsupportedError("x"), "UNIMPLEMENTED"),
        (EngineError("x"), "UNAVAILABLE"),
        (RuntimeError("x"), "INTERNAL"),
    ],
)
def test_every_error_has_its_code(error: Exception, code: str) -> None:
    assert code_of(error) is grpc.StatusCode[code]


@pytest.mark.parametrize(
    ("peer", "client"), [("ipv4:127.0.0.1:50000", "127.0.0.1"), ("ipv6:%5B::1%5D:50000", "::1"), ("unix:", "")]
)
def test_the_log_has_the_clients_address(peer: str, client: str) -> None:
    line = access_line(call(peer))

    assert (line.client, line.method, line.path) == (client, "GRPC", "/service/Method")
    assert (line.status, line.error) == (200, "")


def test_a_failure_is_in_the_line_and_an_unexpected_one_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    expected, unexpected = call(), call()
    with caplog.at_level(logging.ERROR, "lit_serve"):
        expected.failed(NotFoundError("no model x here"))
        assert caplog.text == ""
        unexpected.failed(RuntimeError("secret"))

    assert (access_line(expected).status, access_line(expected).error) == (404, "NOT_FOUND: no model x here")
    assert "secret" in caplog.text
    assert "secret" not in access_line(unexpected).error
