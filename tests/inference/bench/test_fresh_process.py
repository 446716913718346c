"""The process that is timed from its start. test_cold_start starts it as `lit-bench --cold` does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MIB = 2**20


def started(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "lit_infer.bench.fresh_process", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=900)


@pytest.mark.parametrize("name", ["", "model.onnx"], ids=["bundle", "lone graph"])
def test_it_opens_one_graph_answers_and_tells_each_step_as_json(bundle_folder: Path, name: str) -> None:
    done = started(bundle_folder / name, "model.onnx", "auto", "cpu", 1, 0.0)

    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert sorted(found) == ["first_ms", "import_ms", "open_ms", "peak_rss_mb", "total_ms"]
    assert all(value > 0 for value in found.values())


def test_an_error_is_its_last_line(bundle_folder: Path) -> None:
    done = started(bundle_folder, "model.onnx", "auto", "cuda:99", 1, 0.0)

    assert done.returncode == 1
    assert done.stdout == ""
    assert "cuda:99" in done.stderr.strip().splitlines()[-1]


HELD = """
from lit_infer.bench.fresh_process import _peak_rss
before = _peak_rss()
held = bytearray(b"x") * (64 << 20)
del held
print(before, _peak_rss())
"""


def test_peak_memory_is_in_bytes_and_remembers_what_was_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)

    before, after = map(int, done.stdout.split())
    assert 4 * MIB < before < 64 * MIB
    assert 56 * MIB < after - before < 80 * MIB
