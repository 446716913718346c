"""`wandb_server`, and Python in a process of its own that talks to it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.wandb_double.server import KEY, Double

Client = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def wandb_server() -> Iterator[Double]:
    """A double of W&B's backend. What it was asked and did not know fails the test."""
    double = Double().start()
    yield double
    double.close()
    assert double.unknown == []


def environment(double: Double, folder: Path, **changes: str) -> dict[str, str]:
    """The environment of one step: the double, a key, and W&B folders that no other step has."""
    folder.mkdir(parents=True, exist_ok=True)
    places = {f"WANDB_{name}_DIR": str(folder / name.lower()) for name in ("CACHE", "DATA", "CONFIG", "ARTIFACT")}
    (folder / "runs").mkdir(exist_ok=True)
    return {
        **os.environ,
        **places,
        "WANDB_DIR": str(folder / "runs"),
        "WANDB_BASE_URL": double.url,
        "WANDB_API_KEY": KEY,
        "WANDB_ERROR_REPORTING": "false",
        "LIT_CACHE": str(folder / "lit-cache"),
        "HOME": str(folder),
        "COLUMNS": "80",
        **changes,
    }


@pytest.fixture
def client(wandb_server: Double, tmp_path: Path) -> Client:
    """Run Python code as one step: a process with W&B folders of its own, unless `step` names an earlier one's."""
    steps = iter(range(1000))

    def run(code: str, step: str | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / (step or f"step-{next(steps)}")
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment(wandb_server, folder, **changes),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
