"""A slot keeps the state and the statistics of its version while models come and go."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from lit_infer.server.models.opening import Opening, Served, open_model
from lit_infer.server.models.slot import Slot
from lit_infer.server.models.sources import ModelSource
from lit_infer.server.models.stats import Stats


@pytest.fixture
def served(proven: Path) -> Iterator[Served]:
    opened = open_model(ModelSource(str(proven)), Opening(device="cpu"), stats=Stats(), on_death=lambda _: None)
    yield opened
    opened.close()


def slot(version: str = "1") -> Slot:
    return Slot(ModelSource("bundle"), "colours", version, "UNAVAILABLE", "unloaded")


def test_the_same_version_continues_its_statistics_and_another_begins_anew(served: Served) -> None:
    same, other = slot("1"), slot("7")
    counted = same.stats

    same.take(served)
    assert same.stats is served.stats is counted

    own = other.stats
    other.take(served)
    assert (other.version, other.state, other.reason) == ("1", "READY", "")
    assert other.stats is served.stats is not own


def test_what_was_served_before_is_given_back_to_be_closed(served: Served) -> None:
    one = slot()

    assert one.take(served) is None
    assert one.vacate("unloaded") is served
    assert (one.served, one.state, one.reason) == (None, "UNAVAILABLE", "unloaded")


def test_a_canary_of_the_main_version_is_paused_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    one = slot()
    with caplog.at_level(logging.INFO, "lit_serve"):
        assert one.pause("4") is None

    assert one.is_paused
    assert "colours: the canary bundle is version 4, like the main one; it is paused" in caplog.text


def test_failures_of_a_canary_are_logged_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    one = slot("2")
    for _ in range(3):
        one.blame("x" * 1000)

    (record,) = caplog.records
    assert record.getMessage().startswith("colours version 2, the canary, failed where the main version answered: xxx")
    assert len(record.getMessage()) < 500
