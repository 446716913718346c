"""What Lightning and our callbacks cost: one epoch by `Trainer.fit` against a bare PyTorch loop, in turns.

Same module, same loader, same optimizer and schedule. The aim: at most 1.05 times the bare loop.
"""

import statistics
import sys
import time
import warnings
from pathlib import Path

import lightning.pytorch as pl
import torch
from torch.nn import functional

from lit_trainer.callbacks import ResumeAfterInterrupt
from lit_trainer.data import DigitsDataModule
from lit_trainer.modules import DigitsCNN

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import figures

EPOCHS, ROUNDS = 5, 5


def main() -> None:
    """Print both times and their ratio."""
    warnings.simplefilter("ignore")
    times: dict[str, list[float]] = {"bare loop": [], "Trainer.fit": []}
    for _ in range(ROUNDS):
        times["bare loop"].append(bare_loop())
        times["Trainer.fit"].append(trainer_fit())
    found = {name: statistics.median(values) for name, values in times.items()}
    for name, seconds in found.items():
        print(f"{name:12} {seconds:.3f} s an epoch")
    ratios = [fit / bare for bare, fit in zip(times["bare loop"], times["Trainer.fit"], strict=True)]
    print(f"ratio        {statistics.median(ratios):.3f}   (aim: at most 1.05)")
    figures.note("trainer", statistics.median(ratios))


def bare_loop() -> float:
    """Seconds an epoch of the loop that one would write by hand."""
    module, data = prepared()
    loader = data.train_dataloader()
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3, weight_decay=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS * len(loader))
    module.train()
    started = time.perf_counter()
    for _ in range(EPOCHS):
        for images, classes in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(module(images), classes)
            loss.backward()
            optimizer.step()
            scheduler.step()
    return (time.perf_counter() - started) / EPOCHS


class Clock(pl.Callback):
    """The time from the first epoch's start to the last one's end, as in the bare loop."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start."""
        self.started = time.perf_counter()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop."""
        self.seconds = time.perf_counter() - self.started


def trainer_fit() -> float:
    """Seconds an epoch of Trainer.fit, with what lit-train always adds, without validation."""
    module, data = prepared()
    clock = Clock()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ResumeAfterInterrupt(), clock],
    )
    trainer.fit(module, train_dataloaders=data.train_dataloader())
    return clock.seconds / EPOCHS


def prepared() -> tuple[DigitsCNN, DigitsDataModule]:
    """The same module and data for both."""
    torch.manual_seed(0)
    data = DigitsDataModule()
    data.setup("fit")
    return DigitsCNN(), data


if __name__ == "__main__":
    main()
