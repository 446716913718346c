"""lit_trainer.next_command: what lit-train prints at the end is run here as it is printed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from lit_export.cli import app
from lit_infer import load, manifest
from lit_trainer.lightning_cli import TrainCLI
from tests.conftest import BIN, ROOT
from tests.support.warm import run_warm

pytestmark = pytest.mark.slow

FACTS = """
- class_path: lit_trainer.callbacks.DeploymentFacts
  init_args:
    facts: {task: image-classification, preprocess: [{resize: {size: [8, 8]}}], labels: [cat, dog, owl]}
"""
CASES = {
    "Unsaved --model.width 5 --model.names [a,b]": "--hparam width=5 --hparam 'names=[a, b]' --input 3x8x8",
    "Saved --model.width 5": "--input 3x8x8",
    "Saved --trainer.limit_val_batches 0": "--input 3x8x8",
    "Saved --trainer.callbacks callbacks.yaml": "",
    "TwoInputs --data my_module.TwoInputsData": "--input 4 --input :int64:3..3",
    "Tokens --data my_module.TokensData": "--input input_ids=6:int64:0..5 --input attention_mask=6:int64:1..1",
    "StepsOnly": "--input 3x8x8",
    "Example --data my_module.TwoInputsData": "",
}
"""Options of lit-train, and what the line at the end must add to the class."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a space in its name and a user's module in it."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    shutil.copy(ROOT / "tests/seeds/my_module.py", folder)
    (folder / "callbacks.yaml").write_text(FACTS)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    return folder


def arguments(case: str) -> list[str]:
    cls, *options = case.split()
    line = ["fit", "--model", f"my_module.{cls}", "--data", "my_module.Data", "--trainer.max_epochs", "1"]
    line += [
        "--seed_everything=1",
        "--trainer.logger",
        "false",
        "--trainer.accelerator",
        "cpu",
        "--trainer.enable_progress_bar",
        "false",
    ]
    return [*line, "--trainer.enable_model_summary", "false", *options]


def next_line(said: str) -> str:
    found = re.search(r"^next: (.*)$", said, re.MULTILINE)
    assert found, said
    return found[1]


def pasted(line: str, folder: Path) -> None:
    """Run a line as it is, in a shell of its own."""
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    run = subprocess.run(
        ["/bin/bash", "-c", f"{line} --out bundle"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def typed(line: str) -> None:
    """Run a line in this process, which takes a quarter of the time."""
    program, *words = shlex.split(line)
    assert program == "lit-export"
    done = CliRunner().invoke(app, [*words, "--out", "bundle"], catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("case", CASES)
def test_the_line_at_the_end_works_as_it_is_printed(case: str, here: Path) -> None:
    cli: Any = TrainCLI.run(arguments(case))
    line = next_line(cli.ending())
    best = cli.trainer.checkpoint_callback.best_model_path
    cls = case.partition(" ")[0]
    assert line == f"lit-export onnx --checkpoint '{best}' --class my_module:{cls} {CASES[case]}".strip()
    pasted(line, here) if "hparam" in line else typed(line)
    assert load(here / "bundle").manifest.source.class_path == f"my_module.{cls}"


def test_classes_of_the_current_folder_are_found_by_the_command(here: Path) -> None:
    (here / "config.yaml").write_text("model: {class_path: my_module.Saved}\ndata: {class_path: my_module.Data}\n")
    done = run_warm(["lit-train", "fit", "--config", "config.yaml", *arguments("Saved")[5:]], here)
    assert done.returncode == 0, done.stderr
    done = run_warm([*shlex.split(next_line(done.stderr)), "--out", "bundle"], here)
    assert done.returncode == 0, done.stderr


def test_an_object_among_the_arguments_is_said_with_what_to_do(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "net.yaml").write_text(
        "class_path: torch.nn.Conv2d\ninit_args: {in_channels: 3, out_channels: 1, kernel_size: 8}"
    )
    cli: Any = TrainCLI.run(arguments("Given --model.net net.yaml --model.scale 2.0"))
    said = cli.ending()
    assert next_line(said).endswith("--class my_module:Given --input 3x8x8")
    assert "net cannot be given as text: --class must name a subclass of Given whose __init__ builds it" in said

    built = "class Built(Given):\n    def __init__(self, scale):\n        super().__init__(nn.Conv2d(3, 1, 8), scale)\n"
    (here / "my_module.py").write_text((here / "my_module.py").read_text() + "\n\n" + built)
    monkeypatch.delitem(sys.modules, "my_module")
    typed(next_line(said).replace("Given", "Built"))


def test_a_class_of_this_project_needs_no_more(here: Path) -> None:
    line = ["fit", "--config", str(ROOT / "configs/sequence.yaml"), "--trainer.logger", "CSVLogger"]
    line += ["--trainer.logger.save_dir", ".", "--trainer.log_every_n_steps", "1"]
    line += ["--trainer.accelerator", "cpu", "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]
    line += ["--trainer.limit_val_batches", "1", "--trainer.enable_model_summary", "false", "--data.num_workers", "0"]
    cli: Any = TrainCLI.run(line)
    said = next_line(cli.ending())
    assert said.endswith(".ckpt --input 64:int64:0..3")
    typed(said)


def test_the_checkpoint_says_what_it_is_without_running_code(here: Path) -> None:
    cli: Any = TrainCLI.run(arguments("TwoInputs --data my_module.TwoInputsData"))
    stored = torch.load(cli.trainer.checkpoint_callback.best_model_path, weights_only=True)[manifest.CHECKPOINT_KEY]
    record = manifest.convert(stored, manifest.CheckpointRecord, where="test")
    assert record.deployment.class_path == "my_module.TwoInputs"
    assert [(one.name, one.dtype, one.shape) for one in record.batch or ()] == [
        ("0", "float32", (4, 4)),
        ("1", "int64", (4,)),
        ("2", "float64", (4,)),
    ]
    assert [(one.name, one.dtype, one.shape) for one in record.inputs or ()] == [
        ("row", "float32", (4, 4)),
        ("kind", "int64", (4,)),
    ]
