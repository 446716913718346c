"""`wandb_server`, and Python in a process of its own that talks to it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
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


# A process that has imported what every step imports, and forks itself for each: the import takes longer than the step.
IMPORTED = """
import json, os, signal, sys
import requests, wandb
from wandb.apis import public
from lit_infer import artifacts

for line in sys.stdin:
    asked = json.loads(line)
    if (step := os.fork()) == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(step, 0)[1]), flush=True)
else:
    sys.exit()
signal.alarm(120)
os.environ.clear()
os.environ.update(asked["env"])
os.chdir(asked["cwd"])
for number, name in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
    os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
exec(asked["code"], {"__name__": "__main__"})
"""


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """The process of `IMPORTED`: a line of JSON in, an exit code out."""
    variables = {**os.environ, "WANDB_ERROR_REPORTING": "false"}
    line = [sys.executable, "-c", IMPORTED]
    with subprocess.Popen(
        line, cwd=ROOT, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()  # type: ignore[union-attr]


@pytest.fixture
def client(wandb_server: Double, imported: subprocess.Popen[str], tmp_path: Path) -> Client:
    """Run Python code as one step: a process with W&B folders of its own, unless `step` names an earlier one's."""
    steps = iter(range(1000))

    def run(code: str, step: str | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / (step or f"step-{next(steps)}")
        said = {name: str(folder / name) for name in ("out", "err")}
        asked = {"code": code, "cwd": str(tmp_path), "env": environment(wandb_server, folder, **changes), **said}
        assert imported.stdin is not None
        assert imported.stdout is not None
        imported.stdin.write(json.dumps(asked) + "\n")
        imported.stdin.flush()
        returned = imported.stdout.readline()
        out, err = (Path(said[name]).read_text() for name in ("out", "err"))
        return subprocess.CompletedProcess([], int(returned), out, err)

    return run
