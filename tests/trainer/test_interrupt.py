"""Ctrl-C, and going on afterwards as if nothing had happened."""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from lit_trainer.callbacks.interrupt import ResumeAfterInterrupt
from lit_trainer.data import DigitsDataModule
from lit_trainer.modules import DigitsCNN
from tests.conftest import BIN, ROOT
from tests.support.warm import run_warm

EPOCHS, BATCHES = 3, 18


class PressCtrlC(pl.Callback):
    """Send this process SIGINT in the middle of one batch."""

    def __init__(self, at_step: int) -> None:
        self.at_step = at_step

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.at_step:
            os.kill(os.getpid(), signal.SIGINT)


def train(folder: Path, *callbacks: pl.Callback, ckpt_path: Path | None = None, workers: int = 0) -> DigitsCNN:
    pl.seed_everything(5, verbose=False)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
    )
    module = DigitsCNN(width=4)
    trainer.fit(module, datamodule=DigitsDataModule(num_workers=workers), ckpt_path=ckpt_path, weights_only=True)
    return module


def weights(module: pl.LightningModule) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    return weights(train(tmp_path_factory.mktemp("whole")))


def test_the_same_seed_gives_identical_weights(uninterrupted: dict[str, torch.Tensor], tmp_path: Path) -> None:
    again = weights(train(tmp_path))
    assert all(torch.equal(again[name], value) for name, value in uninterrupted.items())


@pytest.mark.parametrize("step", [0, 5, BATCHES - 1, BATCHES, 2 * BATCHES + 7], ids=lambda step: f"step {step}")
def test_an_interrupted_run_resumes_to_the_weights_of_an_uninterrupted_one(
    uninterrupted: dict[str, torch.Tensor], tmp_path: Path, step: int
) -> None:
    before = signal.getsignal(signal.SIGINT)
    interrupt = ResumeAfterInterrupt()
    with pytest.raises(SystemExit):
        train(tmp_path, interrupt, PressCtrlC(step))
    assert interrupt.saved is not None
    signal.signal(signal.SIGINT, before)  # Lightning ignores the signal until the process ends

    torch.manual_seed(999)  # a new process knows nothing of the old one's generator
    resumed = weights(train(tmp_path, ResumeAfterInterrupt(), ckpt_path=interrupt.saved))
    different = [name for name, value in uninterrupted.items() if not torch.equal(resumed[name], value)]
    assert not different


def test_it_resumes_exactly_with_workers_that_augment(tmp_path: Path) -> None:
    whole = weights(train(tmp_path / "whole", workers=2))
    before = signal.getsignal(signal.SIGINT)
    interrupt = ResumeAfterInterrupt()
    with pytest.raises(SystemExit):
        train(tmp_path / "part", interrupt, PressCtrlC(BATCHES + 4), workers=2)
    signal.signal(signal.SIGINT, before)
    resumed = weights(train(tmp_path / "part", ResumeAfterInterrupt(), ckpt_path=interrupt.saved, workers=2))
    assert not [name for name, value in whole.items() if not torch.equal(resumed[name], value)]


def test_the_checkpoint_holds_epoch_step_and_optimizer(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    interrupt = ResumeAfterInterrupt()
    with pytest.raises(SystemExit):
        train(tmp_path, interrupt, PressCtrlC(BATCHES + 2))
    signal.signal(signal.SIGINT, before)
    assert interrupt.saved is not None
    saved = torch.load(interrupt.saved, weights_only=True)
    assert (saved["epoch"], saved["global_step"]) == (1, BATCHES + 3)
    assert saved["optimizer_states"][0]["state"]


@pytest.mark.slow
def test_the_command_says_how_to_resume_and_that_line_works(tmp_path: Path) -> None:
    line = ["lit-train", "fit", "--config", str(ROOT / "configs" / "digits.yaml")]
    line += ["--trainer.max_epochs", "200", "--model.width", "2"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [BIN / line[0], *line[1:]],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        registry = tmp_path / "artifacts/registry/local/digits/digits-cnn/aliases.json"
        while not registry.exists():  # the first epoch is done
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.05)  # another process's file: there is no event to wait for
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=900)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    said = next(text for text in stderr.splitlines() if "resume with: " in text)
    resume = shlex.split(said.partition("resume with: ")[2])
    epoch = torch.load(tmp_path / resume[-1], weights_only=True)["epoch"]

    done = run_warm([*resume, "--trainer.max_epochs", str(epoch + 1)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "best checkpoint" in done.stderr
