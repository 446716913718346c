"""Hostile checkpoint files (tests/export/hostile.py) are refused or read as data, as an audit hook sees."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import ROOT
from tests.export import hostile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, dict[str, Any]]:
    """What one process, which watches itself, says of every file."""
    hostile.MARK = str(folder / "mark")
    torch.save({"state_dict": {}}, folder / "honest.ckpt")
    (folder / "broken.ckpt").write_bytes(b"\x80\x02}.")
    (folder / "hostile_module.py").write_text(f"open({str(folder / 'mark')!r}, 'w')")
    names = {}
    for number, (name, build) in enumerate(hostile.FILES.items()):
        path = folder / f"hostile-{number:03}.ckpt"
        path.write_bytes(build())
        names[path.name] = name
    command = [sys.executable, "-m", "tests.export.hostile", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{names.get(lines[-1].get('start', '')) if lines else ''}: {done.stderr[-2000:]}"
    return {names[line["name"]]: line for line in lines if "name" in line}


def test_there_are_a_hundred_files_and_more(outcomes: dict[str, dict[str, Any]]) -> None:
    assert outcomes.keys() == hostile.FILES.keys()
    assert len(outcomes) >= 100


@pytest.mark.parametrize("name", hostile.FILES)
def test_nothing_runs_and_nobody_sees_a_traceback(outcomes: dict[str, dict[str, Any]], name: str) -> None:
    outcome = outcomes[name]
    assert outcome["seen"] == []
    assert not [result for result in outcome["results"] if result.startswith("TRACEBACK")]
    if name not in hostile.HARMLESS:
        assert all(result.startswith("refused") for result in outcome["results"][:3]), outcome["results"]
    assert (outcome["results"][3] == "loaded") == (name in hostile.OPENED), outcome["results"]
    assert not [result for result in outcome["results"][3:] if result.count("\n") > 1]
    assert not [result for result in outcome["results"] if "\x1b" in result]
    assert outcome["grown_kb"] < 600_000


def test_no_gadget_left_its_mark(outcomes: dict[str, dict[str, Any]], folder: Path) -> None:
    assert not (folder / "mark").exists()
    assert not (folder.parent / "escaped").exists()


def test_the_gadgets_would_have_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test itself can see what it looks for."""
    import pickle

    monkeypatch.setattr(hostile, "MARK", str(tmp_path / "mark"))
    pickle.loads(hostile.plain(hostile.Gadget()))  # noqa: S301 - this is the point
    assert (tmp_path / "mark").exists()
