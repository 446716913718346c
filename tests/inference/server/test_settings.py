"""Limits of a server are limits."""

from typing import Any

import pytest

from lit_infer.errors import UsageError
from lit_infer.server.settings import MIB, Settings


def test_everything_is_limited_and_no_key_is_required_by_default() -> None:
    settings = Settings()

    assert (settings.max_body, settings.max_connections, settings.timeout) == (16 * MIB, 1024, 10.0)
    assert (settings.keys, settings.explicit_control) == ((), False)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_body": 0},
        {"max_header": 0},
        {"max_connections": -1},
        {"timeout": 0},
        {"body_timeout": -1.0},
        {"stream_timeout": 0.0},
        {"grace": -0.1},
        {"accept_delay": -1},
    ],
)
def test_a_limit_that_allows_nothing_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="must be positive"):
        Settings(**limits)


def test_stopping_may_take_no_time_at_all() -> None:
    assert Settings(accept_delay=0, next_request=0, grace=0).grace == 0
