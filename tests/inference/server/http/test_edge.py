"""The edge turns whatever the routes raise into one JSON answer, and reports every request."""

import logging
from typing import Any

import httpx
import pytest
from starlette.exceptions import HTTPException

from lit_infer.errors import OverloadedError, UsageError
from lit_infer.server.errors import ClientGoneError
from lit_infer.server.http.edge import Edge
from lit_infer.server.telemetry.access_log import Access
from tests.support.server.client import Client

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


def asked(routes: Any, *, keys: tuple[bytes, ...] = (), path: str = "/x", **how: Any) -> tuple[httpx.Response, Access]:
    """The answer to one request, and its line in the log."""
    seen: list[Access] = []
    client = Client(Edge(routes, keys=keys, access=seen.append))
    answer = client.get(path, **how)
    client.close()
    return answer, seen[0]


def raising(error: Exception) -> Any:
    async def routes(*_: Any) -> None:
        raise error

    return routes


async def hello(_: Any, __: Any, send: Any) -> None:
    await send(dict(START))
    await send({"type": "http.response.body", "body": b"hello"})


def test_an_answer_carries_the_request_id_of_the_client() -> None:
    answer, line = asked(hello, headers={"X-Request-ID": "r-1"})

    assert (answer.text, answer.headers["x-request-id"]) == ("hello", "r-1")
    assert (line.id, line.status, line.bytes_out, line.error) == ("r-1", 200, 5, "")


@pytest.mark.parametrize(
    ("error", "status", "text", "header"),
    [
        (UsageError("no such thing"), 400, "no such thing", None),
        (OverloadedError("the queue is full"), 503, "the queue is full", ("retry-after", "1")),
        (HTTPException(404), 404, "not found", None),
        (HTTPException(405, headers={"Allow": "GET"}), 405, "method not allowed", ("allow", "GET")),
    ],
)
def test_an_error_is_answered_in_json(error: Exception, status: int, text: str, header: tuple[str, str] | None) -> None:
    answer, line = asked(raising(error))

    assert (answer.status_code, answer.json()) == (status, {"error": text})
    assert (line.status, line.error) == (status, text)
    if header is not None:
        assert answer.headers[header[0]] == header[1]


def test_an_unexpected_error_is_logged_with_its_traceback_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "lit_serve"):
        answer, line = asked(raising(RuntimeError("secret")))

    assert answer.status_code == 500
    assert answer.json() == {"error": f"internal error; the server's log has it as request {line.id}"}
    assert "secret" in caplog.text


def test_a_client_that_leaves_is_logged_as_499() -> None:
    async def routes(_: Any, __: Any, send: Any) -> None:
        await send(dict(START))
        await send({"type": "http.response.body", "body": b""})
        raise ClientGoneError("the client left")

    _, line = asked(routes)

    assert (line.status, line.error) == (499, "the client left")


def test_only_probes_and_the_page_need_no_key() -> None:
    for path in ("/v2/health/live", "/", "/page/page.js"):
        assert asked(hello, keys=(b"k",), path=path)[0].status_code == 200
    refused, line = asked(hello, keys=(b"k",))
    assert (refused.status_code, refused.headers["www-authenticate"], line.status) == (401, "Bearer", 401)
