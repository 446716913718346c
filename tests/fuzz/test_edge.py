"""The harness of the HTTP edge finds what it is for."""

import pytest

from lit_infer.server.http.framing import Framed
from tests.fuzz import edge
from tests.fuzz.running import SEEDS


def test_a_body_that_is_taken_for_a_request_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = (SEEDS / "http/upgrade").read_bytes()
    edge.http(upgrade)

    monkeypatch.setattr(Framed, "_ignore_offer", lambda _: None)  # as uvicorn does

    with pytest.raises(AssertionError):
        edge.http(upgrade)
