"""lit-train as its user meets it: a process, its output and its exit code."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.warm import run_warm


def test_help_answers_without_torch(tmp_path: Path) -> None:
    script = "import sys; sys.modules['torch'] = sys.modules['lightning'] = None; sys.argv = ['lit-train', '--help']\n"
    script += "from lit_trainer.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lit-train fit --config" in done.stdout


def test_without_lightning_the_extra_is_named(tmp_path: Path) -> None:
    script = "import sys; from importlib.abc import MetaPathFinder\n"
    script += "class Gone(MetaPathFinder):\n"
    script += "    def find_spec(self, name, path, target=None):\n"
    script += "        if name == 'lightning': raise ModuleNotFoundError(name=name)\n"
    script += "sys.meta_path.insert(0, Gone()); sys.argv = ['lit-train', 'fit']\n"
    script += "from lit_trainer.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert 'pip install "lit-deploy[train]"' in done.stderr


@pytest.mark.slow
def test_every_trainer_flag_is_there_and_a_reference_serves_as_checkpoint(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    fit = "lit-train fit --config configs/digits.yaml --trainer.max_epochs 1 --trainer.limit_train_batches 3"
    fit += " --model.width 4 --trainer.gradient_clip_val 0.5"
    done = run_warm(fit.split(), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "next: lit-export onnx --artifact local/digits/digits-cnn:best" in done.stderr

    # The checkpoint is of width 4, the configuration says nothing: the checkpoint's hparams win.
    test = "lit-train test --config configs/digits.yaml --ckpt_path local/digits/digits-cnn:best"
    done = run_warm(test.split(), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "test_acc" in done.stdout


@pytest.mark.slow
def test_an_unknown_reference_is_one_line_and_exit_2(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    line = "lit-train test --config configs/digits.yaml --ckpt_path local/digits/nobody:best"
    done = run_warm(line.split(), tmp_path)
    assert done.returncode == 2
    assert "no local/digits/nobody in the registry" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_online_without_a_key_is_one_line_and_exit_2(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    line = "lit-train fit --config configs/digits.yaml --trainer.max_epochs 1"
    done = run_warm(line.split(), tmp_path, WANDB_MODE="online", HOME=str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert "error: W&B: No API key configured" in done.stderr
    assert "Traceback" not in done.stderr
