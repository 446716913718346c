"""Lightning's rich progress bar, with each metric once and without the logger's version."""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import RichProgressBar


class ProgressBar(RichProgressBar):
    """A metric that is logged per step and per epoch is shown once: the step's value, then the last epoch's.

    With two loggers `v_num` is a fragment of both their versions, which says nothing.
    """

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """The logged metrics alone; `train_loss: 0.093 (0.101)` for a metric that is logged both ways."""
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        for step in [name for name in metrics if name.endswith("_step")]:
            name = step.removesuffix("_step")
            value, epoch = metrics.pop(step), metrics.pop(f"{name}_epoch", None)
            metrics[name] = value if epoch is None else f"{value:.3f} ({epoch:.3f})"
        return metrics
