"""The built wheel with base and `cpu` alone: no torch, the same predictions."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.end_to_end.conftest import Demo

pytestmark = pytest.mark.slow


def uv(*arguments: str | Path) -> None:
    command = shutil.which("uv") or ROOT / ".tools" / "bin" / "uv"
    done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment's bin folder, with the wheel and what `lit-deploy[cpu]` brings."""
    folder = tmp_path_factory.mktemp("slim")
    uv("build", "--wheel", "--quiet", "--out-dir", folder, ROOT)
    wheel = next(folder.glob("lit_deploy-*.whl"))
    uv("venv", "--quiet", folder / "venv")
    uv("pip", "install", "--quiet", "--python", folder / "venv", f"{wheel}[cpu]")
    return folder / "venv" / "bin"


def in_slim(slim: Path, cwd: Path, *line: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [slim / line[0], *line[1:]],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.mark.parametrize("module", ["torch", "lightning", "wandb", "onnx", "sklearn", "torchvision"])
def test_the_environment_has_no(slim: Path, tmp_path: Path, module: str) -> None:
    assert in_slim(slim, tmp_path, "python", "-c", f"import {module}").returncode == 1


def test_the_folder_command_gives_the_same_rows(slim: Path, demo: Demo, tmp_path: Path) -> None:
    output = tmp_path / "slim.jsonl"
    line = ["lit-infer", "artifacts/demo/images/", "--model", str(demo.bundle), "--output", str(output)]
    done = in_slim(slim, demo.folder, *line)
    assert done.returncode == 0, done.stderr
    expected = demo.folder / "artifacts/demo/predictions.jsonl"
    assert output.read_bytes() == expected.read_bytes()


def test_the_predictor_serves_another_app(slim: Path, demo: Demo) -> None:
    image = next((demo.folder / "artifacts/demo/images/4").glob("*.png"))
    script = (
        "import sys; from lit_infer import load; p, = load(sys.argv[1]).predict([sys.argv[2]]); print(p.label, p.path)"
    )
    done = in_slim(slim, demo.folder, "python", "-c", script, str(demo.bundle), str(image))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=1)[1].strip() == str(image)


def test_a_format_without_its_engine_names_the_extra(slim: Path, demo: Demo) -> None:
    done = in_slim(slim, demo.folder, "lit-infer", "artifacts/demo/images/1", "--model", str(demo.bundle / "model.pt"))
    assert done.returncode == 2
    assert 'pip install "lit-deploy[torch]"' in done.stderr


def test_bench_measures_what_it_can_and_names_what_it_left_out(slim: Path, demo: Demo) -> None:
    line = ["lit-bench", "--model", str(demo.bundle), "--batch-sizes", "1", "--seconds", "0.1", "--json"]
    done = in_slim(slim, demo.folder, *line)
    assert done.returncode == 0, done.stderr
    assert [row["format"] for row in json.loads(done.stdout)["rows"]] == ["onnx"]
    assert "model.pt is left out" in done.stderr


def test_the_servers_page_is_in_the_wheel(slim: Path, tmp_path: Path) -> None:
    code = "from lit_infer.server.http import page_files as f; [f.read(name) for name in f.NAMES.values()]"
    assert in_slim(slim, tmp_path, "python", "-c", code).returncode == 0


@pytest.mark.parametrize(("command", "extra"), [("lit-train", "train"), ("lit-export", "export")])
def test_the_other_commands_name_their_extra(slim: Path, tmp_path: Path, command: str, extra: str) -> None:
    arguments = {"lit-train": ["fit"], "lit-export": ["onnx", "--checkpoint", "x.ckpt"]}[command]
    assert in_slim(slim, tmp_path, command, "--help").returncode == 0
    done = in_slim(slim, tmp_path, command, *arguments)
    assert done.returncode == 2
    assert f'pip install "lit-deploy[{extra}]"' in done.stderr
