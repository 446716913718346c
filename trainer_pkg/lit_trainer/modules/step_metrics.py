"""What a step logs, alike in every module: `STAGE_loss`, and each of its metrics as `STAGE_NAME`."""

from collections.abc import Mapping

import lightning.pytorch as pl
from torch import Tensor
from torchmetrics import Metric


def log_step(
    module: pl.LightningModule, stage: str, loss: Tensor, metrics: Mapping[str, Metric], *, batch_size: int
) -> None:
    """Log a batch's loss and the metrics: in training of each step and each epoch, else of the epoch."""
    per_step = stage == "train"
    # sync_dist: the mean over all processes. The metrics do that by themselves.
    module.log(
        f"{stage}_loss",
        loss,
        on_step=per_step,
        on_epoch=True,
        prog_bar=True,
        sync_dist=True,
        batch_size=batch_size,
    )
    for name, metric in metrics.items():
        module.log(f"{stage}_{name}", metric, on_step=per_step, on_epoch=True, prog_bar=True, batch_size=batch_size)
