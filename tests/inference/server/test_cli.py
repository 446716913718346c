"""`lit-serve` as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from lit_infer.errors import UsageError
from lit_infer.server.cli import batch_size, seconds
from tests.inference.tiny import without
from tests.support.server.process import command, refused
from tests.support.server.requests import png


def test_a_bundle_is_served_until_sigterm(proven: Path, tmp_path: Path) -> None:
    with command(str(proven), cwd=tmp_path) as server:
        answer = httpx.post(server.url + "/predict", content=png())
        assert server.stop() == 0
        assert server.process.stderr is not None
        lines = [json.loads(line) for line in server.process.stderr.read().splitlines() if line.startswith("{")]

    assert answer.json()["label"] == "blue"
    assert [line["status"] for line in lines if "status" in line] == [200]
    assert any("stopping; requests that were accepted" in line.get("message", "") for line in lines)


def test_mistakes_are_said_in_a_line(tmp_path: Path, proven: Path) -> None:
    code, said = refused(str(tmp_path / "none"))
    assert (code, said.startswith("error: no model at")) == (2, True)

    code, said = refused(str(proven), "--watch", "often")
    assert (code, "--watch 'often' is not a time: write 2ms, 30s or 5m" in said) == (2, True)

    code, said = refused(str(proven), "--watch", "30s")
    assert (code, "--watch needs a model referred to by an alias" in said) == (2, True)

    code, said = refused(str(proven), "--api-key-file", str(tmp_path / "none"))
    assert (code, "no key file at" in said) == (2, True)

    code, said = refused(str(proven), "--no-grpc", "--grpc-port", "0")
    assert (code, "--no-grpc and --grpc-port contradict each other" in said) == (2, True)


def test_a_missing_extra_is_named(tmp_path: Path, proven: Path) -> None:
    code, said = refused(str(proven), **without(tmp_path / "hide", "starlette"))

    assert code == 2
    assert 'pip install "lit-deploy[serve]"' in said


@pytest.mark.parametrize(("text", "value"), [("2ms", 0.002), ("30s", 30), ("5m", 300), ("500us", 0.0005), ("1.5", 1.5)])
def test_times_are_read(text: str, value: float) -> None:
    assert seconds(text, "--x") == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1h", "1 2", "inf", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        seconds(text, "--x")


def test_max_batch_is_auto_or_a_number() -> None:
    assert (batch_size("auto"), batch_size("32")) == (None, 32)
    for text in ("0", "-1", "many", ""):
        with pytest.raises(UsageError, match="neither auto nor a number"):
            batch_size(text)


def test_http_over_a_unix_socket_is_answered_and_the_socket_removed(proven: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    line = [sys.executable, "-c", "from lit_infer.server.cli import main; main()", str(proven), "--uds", str(path)]
    with subprocess.Popen([*line, "--no-grpc"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for text in process.stderr:
            if "next:" in text:
                break
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost") as client:
            answer = client.post("/predict", content=png("green"))
        process.terminate()
        process.stderr.read()
        assert process.wait(30) == 0

    assert answer.json()["label"] == "green"
    assert not path.exists()
