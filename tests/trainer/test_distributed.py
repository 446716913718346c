"""strategy=ddp on two CPU processes: one run is logged, and a rank that fails takes the others with it."""

import shutil
from pathlib import Path

import pytest

from lit_infer import artifacts
from tests.conftest import ROOT, run_command
from tests.support.warm import run_warm

pytestmark = pytest.mark.slow

FIT = "lit-train fit --config configs/digits.yaml --trainer.max_epochs 1 --trainer.limit_train_batches 3"
DDP = " --trainer.accelerator cpu --trainer.strategy ddp --trainer.devices 2 --model.width 2"

RAISING = """
import lightning.pytorch as pl

class RaiseOnRankOne(pl.Callback):
    def on_train_batch_end(self, trainer, *_):
        if trainer.global_rank == 1:
            raise RuntimeError("rank one falls over")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    return tmp_path


def test_two_processes_train_and_log_one_run(folder: Path) -> None:
    done = run_warm((FIT + DDP).split(), folder)
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "artifacts/runs/wandb").glob("offline-run-*"))) == 1
    assert done.stderr.count("tracking: W&B offline") == 1
    assert len(artifacts.registry().versions(artifacts.parse("local/digits/digits-cnn"))) >= 1
    assert len(list((folder / "artifacts/runs/digits").iterdir())) == 1


def test_a_rank_that_raises_ends_the_run_without_a_deadlock(folder: Path) -> None:
    """`run_command` would fail after its time limit; a deadlock lasts for gloo's half hour."""
    (folder / "raising.py").write_text(RAISING)
    line = [*(FIT + DDP).split(), "--trainer.callbacks+", "raising.RaiseOnRankOne"]
    done = run_command(line, folder, PYTHONPATH=str(folder))
    assert done.returncode != 0
    assert "rank one falls over" in done.stderr
