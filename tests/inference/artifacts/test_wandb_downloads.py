"""Passing faults of the storage, by the double's: what is tried again, from where, and when it is given up."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from lit_infer import progress
from lit_infer.artifacts.wandb_downloads import GivenUpError, _asked_for, bring
from lit_infer.errors import ArtifactError
from tests.wandb_double.server import Double

BODY = bytes(range(256)) * 2000


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIT_STALL_TIMEOUT", "1")


def brought(double: Double, folder: Path, body: bytes = BODY, *, size: int | None = None) -> tuple[bytes, list[str]]:
    """The file, and what was said."""
    double.state.storage["key"] = body
    said: list[str] = []
    path = folder / "model.ckpt"
    with progress.listening(progress.Listener(note=said.append)):
        bring(f"{double.url}/storage/key", path, size or len(BODY), subject="m", told=lambda _: None)
    return path.read_bytes(), said


@pytest.mark.parametrize("kind", ["error", "busy", "limit", "short", "drop", "reset", "stall"])
def test_a_fault_that_passes_is_tried_again_and_said(kind: Any, wandb_server: Double, tmp_path: Path) -> None:
    times = 1 if kind == "limit" else 2
    wandb_server.fault("GET storage", kind, times=times)

    found, said = brought(wandb_server, tmp_path)

    assert found == BODY
    assert len(wandb_server.requests) == times + 1
    assert [f"try {number + 2} in" in line for number, line in enumerate(said)] == [True] * times
    assert all(line.startswith("m: model.ckpt") for line in said)


@pytest.mark.parametrize("kind", ["short", "drop", "reset"])
def test_what_broke_is_resumed_where_it_broke(kind: Any, wandb_server: Double, tmp_path: Path) -> None:
    wandb_server.fault("GET storage", kind, times=1)

    found, said = brought(wandb_server, tmp_path)

    assert found == BODY
    start = int((wandb_server.ranges[1] or "").removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= len(BODY) // 2
    assert f"from byte {start:,}" in said[0]


@pytest.mark.parametrize("kind", ["shifted", "whole"])
def test_another_part_than_was_asked_for_is_not_taken_for_it(kind: Any, wandb_server: Double, tmp_path: Path) -> None:
    wandb_server.fault("GET storage", "drop", times=1)
    wandb_server.fault("GET storage", kind, times=1)

    found, _ = brought(wandb_server, tmp_path)

    assert found == BODY
    assert wandb_server.ranges[-1] is None or kind == "whole"


def test_a_storage_is_given_the_time_that_it_asks_for(wandb_server: Double, tmp_path: Path) -> None:
    wandb_server.fault("GET storage", "limit", times=1)
    started = time.monotonic()

    _, said = brought(wandb_server, tmp_path)

    assert time.monotonic() - started >= 1
    assert said == ["m: model.ckpt: HTTP 429 from the storage; try 2 in 1.0 s, from byte 0"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("error", r"m: model\.ckpt: HTTP 500 from the storage, on try \d\. Try again later"),
        ("stall", r"m: model\.ckpt: nothing arrived for 1 s, after [\d,]+ of 512,000 bytes, on try \d"),
        ("short", r"m: model\.ckpt has 511,999 bytes where 512,000 were logged, on try \d+"),
    ],
)
def test_a_fault_that_does_not_pass_is_given_up_and_the_try_is_told(
    kind: Any, said: str, wandb_server: Double, tmp_path: Path
) -> None:
    wandb_server.fault("GET storage", kind)

    with pytest.raises(GivenUpError, match=said):
        brought(wandb_server, tmp_path)


def test_what_will_not_pass_is_not_tried_again(wandb_server: Double, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"m: model\.ckpt: HTTP 404 from the storage"):
        bring(f"{wandb_server.url}/storage/none", tmp_path / "model.ckpt", 3, subject="m", told=lambda _: None)
    assert len(wandb_server.requests) == 1

    (tmp_path / "model.ckpt").unlink()
    with pytest.raises(ArtifactError, match="has more bytes where 9 were logged"):
        brought(wandb_server, tmp_path, size=9)
    assert len(wandb_server.requests) == 2


def test_a_time_to_wait_is_a_number_or_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert _asked_for("7") == 7
    assert 90 < _asked_for(later) <= 100
    assert _asked_for("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert [_asked_for(text) for text in (None, "", "soon", "-3", "Wed, 21 Oct 2015 07:28:00")] == [0] * 5
