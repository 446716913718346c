"""Programs of others, each in an environment of its own, which is made from a pinned and hashed list beside this file.

Where the registry cannot be reached the test is skipped, saying so; in CI it fails.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

HERE = Path(__file__).parent
_UNREACHABLE = ("Failed to fetch", "error sending request", "Request failed after", "dns error")
_MOST_SECONDS = 300


def python_of(name: str, folder: Path) -> Path:
    """The interpreter of a fresh environment in this folder, with what `name`.txt lists."""
    _uv("venv", "--quiet", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    _uv("pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", HERE / f"{name}.txt")
    return python


def run(line: list[str | Path], cwd: Path, **environment: str) -> str:
    """What a command of another environment prints; a failure shows all of it. It sees nothing of ours."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST", "VIRTUAL_ENV"))}
    done = subprocess.run(
        line, cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, timeout=_MOST_SECONDS, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-5000:]}"
    return done.stdout


def run_tests(python: Path, *scripts: str, cwd: Path, **environment: str) -> None:
    """Run files of this folder with the other environment's pytest. All must pass, none may be skipped."""
    alone: list[str | Path] = ["-c", os.devnull, "--rootdir", ROOT, "--confcutdir", HERE, "-p", "no:cacheprovider"]
    said = run(
        [python, "-m", "pytest", *alone, "-q", "--tb=short", *(HERE / name for name in scripts)], cwd, **environment
    )
    summary = said.splitlines()[-1]
    assert " passed" in summary, said
    assert "skipped" not in summary, said


def _uv(*arguments: str | Path) -> None:
    command = shutil.which("uv") or ROOT / ".tools" / "bin" / "uv"
    environment = {"UV_SYSTEM_CERTS": "1", **os.environ}
    done = subprocess.run(
        [command, *arguments], env=environment, capture_output=True, text=True, timeout=_MOST_SECONDS, check=False
    )
    if done.returncode and "CI" not in os.environ and any(sign in done.stderr for sign in _UNREACHABLE):
        pytest.skip(f"the package registry cannot be reached: {done.stderr.splitlines()[0][:200]}")
    assert done.returncode == 0, done.stderr
