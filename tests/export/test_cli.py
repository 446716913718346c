"""lit-export as its user meets it: a process, its output and its exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import run_command


def test_help_answers_without_torch(tmp_path: Path) -> None:
    script = "import sys; sys.modules['torch'] = sys.modules['lightning'] = None; sys.argv = ['lit-export', '--help']\n"
    script += "from lit_export.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lit-export onnx --artifact" in done.stdout


def test_without_torch_the_extra_is_named(tmp_path: Path) -> None:
    script = "import sys; from importlib.abc import MetaPathFinder\n"
    script += "class Gone(MetaPathFinder):\n"
    script += "    def find_spec(self, name, path, target=None):\n"
    script += "        if name == 'torch': raise ModuleNotFoundError(name=name)\n"
    script += "sys.meta_path.insert(0, Gone()); sys.argv = ['lit-export', 'onnx', '--checkpoint', 'x.ckpt']\n"
    script += "from lit_export.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert 'pip install "lit-deploy[export]"' in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--checkpoint", "nowhere.ckpt"], "no checkpoint at nowhere.ckpt"),
        (["--artifact", "local/p/none:best"], "no local/p/none in the registry"),
        (["--artifact", "best"], "is not a reference"),
    ],
)
def test_a_users_mistake_is_one_or_two_lines_and_exit_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run_command(["lit-export", "onnx", *arguments, "--quiet"], tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert done.stdout == ""


@pytest.mark.slow
def test_a_graph_that_fails_its_check_exits_1_and_is_gone(tmp_path: Path, save: object, spec: Path) -> None:
    from tests.export import foreign

    checkpoint = save(foreign.BranchesOnBatchSize())  # type: ignore[operator]
    root = Path(__file__).parents[2]
    line = ["lit-export", "torchscript", "--checkpoint", str(checkpoint), "--out", str(tmp_path / "bundle")]
    line += ["--class", "tests.export.foreign:BranchesOnBatchSize", "--spec", str(spec)]
    done = run_command(line, root)
    assert done.returncode == 1, done.stderr
    assert "parity failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bundle").exists()
