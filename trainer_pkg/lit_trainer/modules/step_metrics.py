"""What a step logs, alike in every module: `STAGE_loss` and `STAGE_acc`."""

import lightning.pytorch as pl
from torch import Tensor
from torchmetrics import Metric


def log_step(module: pl.LightningModule, stage: str, loss: Tensor, accuracy: Metric, *, batch_size: int) -> None:
    """Log a batch's loss and the metric: in training of each step and each epoch, else of the epoch."""
    per_step = stage == "train"
    # sync_dist: the mean over all processes. The metric does that by itself.
    module.log(
        f"{stage}_loss",
        loss,
        on_step=per_step,
        on_epoch=True,
        prog_bar=True,
        sync_dist=True,
        batch_size=batch_size,
    )
    module.log(f"{stage}_acc", accuracy, on_step=per_step, on_epoch=True, prog_bar=True, batch_size=batch_size)
