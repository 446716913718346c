"""Ctrl-C during training saves a checkpoint from which the run can be resumed exactly."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl

from lit_infer import console

CHECKPOINT = "interrupted.ckpt"


class ResumeAfterInterrupt(pl.Callback):
    """The first Ctrl-C finishes the batch, saves and stops; a second one stops at once.

    A checkpoint from the middle of a step would hold half an update, so the signal only requests it.
    """

    def __init__(self) -> None:
        self.saved: Path | None = None
        """The checkpoint to resume from; None if training was not interrupted."""
        self._asked = False
        self._before: Any = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen for Ctrl-C."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the loaders to their state in the checkpoint.

        Lightning forgets to if `configure_optimizers` asked for `estimated_stepping_batches`, which sets up the
        loaders before the checkpoint is read (2.6.6: FitLoop.setup_data returns early the second time).
        """
        trainer.fit_loop._load_combined_loader_states()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Save and stop if requested; all processes of a distributed run agree on it first."""
        asked = self._asked
        if trainer.world_size > 1:
            asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        if asked and not _validation_is_due(trainer):
            path = run_folder(trainer) / CHECKPOINT
            trainer.save_checkpoint(path)
            self.saved = path
            raise KeyboardInterrupt

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Restore the signal's handler."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _ask(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        console.note("\nfinishing this batch, then saving; Ctrl-C again stops at once, without saving")


def _validation_is_due(trainer: pl.Trainer) -> bool:
    """Whether this batch is followed by validation or the epoch's end, which a resumed run would skip.

    Then the interruption waits for the next batch, or for the end of training.
    """
    loop = trainer.fit_loop.epoch_loop
    fetcher = trainer.fit_loop._data_fetcher
    return loop.batch_progress.is_last_batch or (fetcher is not None and loop._should_check_val_fx(fetcher))


def run_folder(trainer: pl.Trainer) -> Path:
    """Where the run's files are: `<save_dir>/<project>/<run>`, else the trainer's own folder."""
    logger = trainer.logger
    if logger is None or logger.save_dir is None:
        return Path(trainer.default_root_dir)
    return Path(logger.save_dir, str(logger.name), str(logger.version))
