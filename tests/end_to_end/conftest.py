"""The demo, run once for all tests that look at what it made."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.shared import made_once


@dataclass(frozen=True)
class Demo:
    """What `make demo` left behind."""

    folder: Path
    output: str

    @property
    def bundle(self) -> Path:
        found = re.search(r"^bundle +(\S+)/", self.output, re.MULTILINE)
        assert found is not None, self.output
        return self.folder / found[1]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Demo:
    """The demo's folder and output. It runs once, also where several processes run the tests."""

    def make(folder: Path) -> None:
        (folder / "output.txt").write_text(_run_demo(folder / "a folder"))

    folder = made_once(tmp_path_factory, worker_id, "end to end", make)
    return Demo(folder / "a folder", (folder / "output.txt").read_text())


def _run_demo(folder: Path) -> str:
    """Run it in a folder with a space in its name, with no account and no artifacts but its own."""
    shutil.copytree(ROOT / "configs", folder / "configs")
    shutil.copytree(ROOT / "examples", folder / "examples")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LIT_", "WANDB_"))}
    environment |= {"HOME": str(folder / "home"), "NETRC": str(folder / "no-netrc"), "COLUMNS": "80"}
    environment["LIT_BENCH_SECONDS"] = "0.1"
    done = subprocess.run(
        [sys.executable, "examples/demo.py"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
