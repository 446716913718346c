"""The status and the message of each error."""

import pytest

from lit_infer.errors import ExpiredError, InputError, LitError, OverloadedError, UsageError
from lit_infer.server.errors import ClientGoneError, UnsupportedError, status_of, text_of


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
