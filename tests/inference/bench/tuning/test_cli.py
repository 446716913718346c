"""`lit-bench tune` as users run it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lit_infer.server.models.opening import Opening
from lit_infer.server.models.processes import InProcesses
from tests.conftest import run_command


def bench(cwd: Path, *arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_command(["lit-bench", *map(str, arguments)], cwd, **environment)


def test_tune_keeps_what_load_then_uses(tmp_path: Path, bundle_folder: Path) -> None:
    cache = {"LIT_CACHE": str(tmp_path / "cache")}
    line = ("tune", bundle_folder, "--batch-sizes", "1,2", "--seconds", "0.05")
    twice = bench(tmp_path, *line, "-m", bundle_folder, **cache)
    assert (twice.returncode, "give one of them" in twice.stderr) == (2, True)

    dry = bench(tmp_path, *line, "--dry-run", **cache)
    assert "nothing was written" in dry.stderr
    assert not (tmp_path / "cache").exists()

    done = bench(tmp_path, *line, "--json", **cache)
    chosen = json.loads(done.stdout)["chosen"]
    kept = json.loads(Path(json.loads(done.stdout)["written"]).read_text())["settings"]
    assert kept == {name: chosen[name] for name in ("batch_size", "threads", "engine")} | {
        "precision": "fp32",
        "processes": None,
    }

    code = "import sys, lit_infer; model = lit_infer.load(sys.argv[1]); print(model.batch_size, model.threads)"
    used = subprocess.run(
        [sys.executable, "-c", code, bundle_folder],
        env={**os.environ, **cache},
        capture_output=True,
        text=True,
        check=True,
    )
    assert used.stdout.split() == [str(chosen["batch_size"]), str(chosen["threads"])]


def test_lit_serve_takes_the_processes_that_tune_found(
    tmp_path: Path, proven: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = {"LIT_CACHE": str(tmp_path / "cache")}

    done = bench(
        tmp_path, "tune", "-m", proven, "--batch-sizes", "8", "--seconds", "0.05", "--serve", "--json", **cache
    )
    told = json.loads(done.stdout)
    kept = Path(told["written"])
    settings = json.loads(kept.read_text())
    assert settings["settings"]["processes"] in [one["processes"] for one in told["served"]]

    settings["settings"]["processes"] = 2
    kept.write_text(json.dumps(settings))
    monkeypatch.setenv("LIT_CACHE", cache["LIT_CACHE"])
    opened = Opening(device="cpu", processes=None).instances(proven)
    try:
        assert opened.opened.count == 2
        assert isinstance(opened, InProcesses)
    finally:
        opened.close()


def test_tune_says_what_it_chose(tmp_path: Path, bundle_folder: Path) -> None:
    line = ("tune", "-m", bundle_folder, "--aim", "latency", "--seconds", "0.05", "--dry-run")

    done = bench(tmp_path, *line)

    assert done.returncode == 0
    assert "latency: onnx, " in done.stdout
    assert "chosen" in done.stdout


def test_tune_help_has_examples(tmp_path: Path) -> None:
    done = bench(tmp_path, "tune", "--help")

    assert done.returncode == 0
    assert 'lit-bench tune --aim "p99<20ms"' in done.stdout
    assert "Usage: lit-bench tune" in done.stdout


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--aim", "fast", 'use latency, throughput, or a bound as in "p99<20ms"'),
        ("--batch-sizes", "0", "expected whole numbers from 1 to 4096, separated by commas"),
        ("--model", "nowhere", "nowhere"),
    ],
)
def test_a_mistake_is_explained_and_nothing_is_measured(
    tmp_path: Path, bundle_folder: Path, option: str, value: str, says: str
) -> None:
    done = bench(tmp_path, "tune", "--model", bundle_folder, option, value)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
