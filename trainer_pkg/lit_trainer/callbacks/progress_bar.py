"""Lightning's rich progress bar, with each metric once and without the logger's version."""

import lightning.pytorch as pl
from lightning.pytorch.callbacks import RichProgressBar


class ProgressBar(RichProgressBar):
    """A metric that is logged per step and per epoch shows the step's value, under its plain name.

    With two loggers `v_num` is a fragment of both their versions, which says nothing.
    """

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """The logged metrics alone."""
        metrics = super().get_metrics(trainer, pl_module)
        twice = {name.removesuffix("_epoch") for name in metrics if f"{name.removesuffix('_epoch')}_step" in metrics}
        hidden = {"v_num", *(f"{name}_epoch" for name in twice)}
        return {_plain(name, twice): value for name, value in metrics.items() if name not in hidden}


def _plain(name: str, twice: set[str]) -> str:
    stem = name.removesuffix("_step")
    return stem if stem in twice else name
