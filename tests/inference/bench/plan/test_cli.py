"""`lit-bench plan` as users run it, on what `lit-bench` has measured."""

import json
from pathlib import Path

import pytest

from tests.conftest import run_command


@pytest.fixture
def measured(bundle_folder: Path, colours: Path, tmp_path: Path) -> Path:
    line = ["lit-bench", str(bundle_folder), "--threads", "1", "--from", str(colours)]
    done = run_command([*line, "--batch-sizes", "1,4", "--seconds", "0.05", "--json"], tmp_path)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "measured.json"
    path.write_text(done.stdout)
    return path


def test_what_was_measured_becomes_a_plan(measured: Path, tmp_path: Path) -> None:
    line = ["lit-bench", "plan", str(measured), "--rate", "20000", "--p99", "1s", "--cores", "2", "--on", "m=0.1"]
    done = run_command(line, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "servers" in done.stdout
    assert "per million" in done.stdout
    assert " of 2 cores on m with lit-serve --max-batch " in done.stderr

    data = json.loads(run_command([*line, "--json"], tmp_path).stdout)
    assert data["model"] == "colours@0123456789ab"
    assert {row["keeps"] for row in data["plan"][1:]} == {True}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nothing.json", "--p99", "80ms"], 2, "no measurement at nothing.json"),
        (["x.json", "--p99", "80ms"], 2, "x.json was not written by lit-bench --json"),
        (["x.json", "--p99", "soon"], 2, "--p99 'soon' is not a time"),
        (["x.json", "--p99", "80ms", "--on", "big"], 2, "--on big: write a name and a price per hour"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], status: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")

    done = run_command(["lit-bench", "plan", *arguments, "--rate", "10"], tmp_path)

    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2
