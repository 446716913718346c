"""lit_trainer.callbacks.progress_bar: what stands beside the bar."""

from pathlib import Path

import lightning.pytorch as pl

from lit_trainer.callbacks import ProgressBar
from lit_trainer.data import DigitsDataModule
from lit_trainer.modules import DigitsCNN


def test_each_metric_stands_there_once_with_its_step_and_its_epoch(tmp_path: Path) -> None:
    bar = ProgressBar()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_train_batches=2,
        log_every_n_steps=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=[bar],
    )
    trainer.fit(DigitsCNN(width=2), datamodule=DigitsDataModule())
    metrics = bar.get_metrics(trainer, trainer.lightning_module)
    assert sorted(metrics) == ["train_acc", "train_loss", "val_acc", "val_loss"]
    step, epoch = (float(trainer.callback_metrics[f"train_loss_{of}"]) for of in ("step", "epoch"))
    assert metrics["train_loss"] == f"{step:.3f} ({epoch:.3f})"
