"""No command tries to reach anybody: each runs where there is no route, and nothing looks for one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lit_infer import artifacts
from tests.conftest import BIN, ROOT
from tests.support.server.proven import make_proven

_NAMESPACE = ["unshare", "--map-root-user", "--net"]


def _may_have_a_namespace() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _may_have_a_namespace(), reason="needs to make a network namespace of its own"),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def run(home: Path, *command: str | Path, **more: str) -> dict[str, int]:
    """What the command tried to reach. It must succeed."""
    report = home / "report.json"
    line = [*_NAMESPACE, sys.executable, "-m", "tests.support.offline", report, *command]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "HOME": str(home), "LIT_BENCH_SECONDS": "0.05", **more}
    for name in ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY", "CI"):  # onnxruntime sends nothing from where CI is set
        if name not in more:
            environment.pop(name, None)
    done = subprocess.run(line, cwd=home, env=environment, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, report.read_text() if report.exists() else done.stderr
    found: dict[str, int] = json.loads(report.read_text())["tried"]
    return found


NOTHING = {"no route": 0, "nobody listens": 0}


def database(home: Path) -> Path:
    """Where onnxruntime keeps what it is going to send."""
    return home / ".cache/Microsoft"


COMMANDS = {
    "infer": ["lit-infer", "IMAGE", "-m", "BUNDLE"],
    "self-test": ["lit-infer", "--self-test", "BUNDLE"],
    "explain": ["lit-infer", "explain", "BUNDLE"],
    "serve": ["lit-serve", "BUNDLE", "--port", "0"],
    "bench": ["lit-bench", "BUNDLE", "--batch-sizes", "1", "--cold"],
    "registry": ["lit-registry", "list"],
    "inspect a bundle": ["lit-export", "inspect", "BUNDLE"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_reaches_for_nobody(command: list[str], home: Path, tmp_path: Path) -> None:
    bundle = make_proven(tmp_path / "bundle")
    artifacts.registry().publish(bundle, artifacts.parse("local/c/colours-export"), type="bundle")
    named = {"BUNDLE": bundle, "IMAGE": ROOT / "tests/fixtures/picture.png"}

    tried = run(home, BIN / command[0], *(named.get(word, word) for word in command[1:]))

    assert tried == NOTHING
    assert not database(home).exists()


def test_an_export_reaches_for_nobody(digits_checkpoint: Path, home: Path) -> None:
    tried = run(home, BIN / "lit-export", "onnx", "--checkpoint", digits_checkpoint, "--out", home / "bundle")

    assert tried == NOTHING
    assert not database(home).exists()


def test_training_reaches_for_nobody(home: Path) -> None:
    config = ROOT / "configs/digits.yaml"

    tried = run(home, BIN / "lit-train", "fit", "--config", config, "--trainer.fast_dev_run", "true")

    assert tried == NOTHING
    assert not database(home).exists()


def test_who_wants_onnxruntimes_telemetry_has_it(home: Path, tmp_path: Path) -> None:
    """And so the tests above would notice it."""
    bundle = make_proven(tmp_path / "bundle")
    # onnxruntime writes on a thread of its own; a command may have ended before.
    opened = f"import lit_infer, time; model = lit_infer.load({str(bundle)!r})"
    waited = f"[time.sleep(0.1) for _ in range(600) if not os.path.exists({str(database(home))!r})]"

    run(home, sys.executable, "-c", f"{opened}; import os; {waited}", ORT_DISABLE_TELEMETRY="0")

    assert database(home).exists()


@pytest.mark.parametrize("address", ["'192.0.2.1'", "'2001:db8::1'", "'a-name.example'"])
def test_what_reaches_for_somebody_is_noticed(address: str, home: Path) -> None:
    code = f"import socket\ntry:\n    socket.create_connection(({address}, 80), 1)\nexcept OSError:\n    pass"

    assert run(home, sys.executable, "-c", code) != NOTHING
