"""The status and the message of each error."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from lit_infer.errors import ExpiredError, InputError, LitError, OverloadedError, UsageError
from lit_infer.server.errors import ClientGoneError, UnsupportedError, status_of, text_of
from tests.inference.tiny import encoded
from tests.support.server.process import serving
from tests.support.server.requests import png
from tests.support.server.waiting import until


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("x"), 400),
        (InputError("x", code="unreadable"), 400),
        (ClientGoneError("x"), 499),
        (UnsupportedError("x"), 501),
        (ExpiredError("x"), 503),
        (OverloadedError("x"), 503),
        (LitError("x"), 500),
        (RuntimeError("x"), 500),
    ],
)
def test_every_error_has_its_status(error: Exception, status: int) -> None:
    assert status_of(error) == status


def test_our_messages_are_sent_but_not_at_any_length() -> None:
    assert text_of(UsageError("no such model"), "r1") == "no such model"
    assert len(text_of(UsageError("x" * 10_000), "r1")) == 600


def test_of_an_unexpected_error_only_the_request_id_is_sent() -> None:
    assert text_of(RuntimeError("secret"), "r1") == "internal error; the server's log has it as request r1"


_LIMITED = "__import__('resource').setrlimit(__import__('resource').RLIMIT_DATA, (450 * 2**20,) * 2)"


def test_under_a_memory_limit_the_server_answers_503_and_lives(proven: Path) -> None:
    large = encoded(Image.new("RGB", (9_000, 5_000)), "PNG")
    with serving(proven, opening="threads=2", tell=_LIMITED) as server, ThreadPoolExecutor(8) as pool:

        def ask(_: int) -> httpx.Response | None:
            """None where there was not even room to answer: then the connection is closed."""
            try:
                return httpx.post(f"{server.url}/predict", content=large, timeout=60)
            except (httpx.ReadError, httpx.RemoteProtocolError):
                return None

        found = [answer for answer in pool.map(ask, range(8)) if answer is not None]
        after: list[httpx.Response] = []

        def is_answered() -> bool:
            """The last large image may still be in memory when its answer has come: a client tries again."""
            after.append(httpx.post(f"{server.url}/predict", content=png("green"), timeout=60))
            return after[-1].status_code != 503

        until(is_answered)

        assert 503 in {answer.status_code for answer in found} <= {200, 503}, [answer.text for answer in found]
        assert after[-1].json().get("label") == "green", after[-1].text
        assert server.process.poll() is None
