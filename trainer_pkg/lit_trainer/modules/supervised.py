"""The steps shared by all modules that learn from labelled images."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import lightning.pytorch as pl
from torch import Tensor, nn
from torchmetrics import Metric

from lit_trainer.modules.step_metrics import log_step

Batch = tuple[Tensor, Tensor]  # images float32 [batch, channels, height, width], and their targets

Stage = Literal["train", "val", "test"]
STAGES: tuple[Stage, ...] = ("train", "val", "test")


class SupervisedModule(pl.LightningModule):
    """A subclass brings `forward`, its optimizer, and its loss, its metrics and its answers."""

    deployment_task: ClassVar[str]
    """The task that it is deployed for, of lit_infer."""

    def __init__(self, size: int) -> None:
        """`size`: classes, labels or values that it answers."""
        super().__init__()
        self.metrics = nn.ModuleDict(
            {f"{stage}_metrics": nn.ModuleDict(self.make_metrics(size, stage)) for stage in STAGES}
        )

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Metric]:
        """New metrics of a stage by name, which are given outputs and targets."""
        raise NotImplementedError

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What is minimised, a scalar."""
        raise NotImplementedError

    def answers(self, outputs: Tensor) -> Tensor:
        """Outputs as the deployed graph gives them, float32 [batch, size]."""
        raise NotImplementedError

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch; logs train_loss and the metrics per step and per epoch."""
        return self._step("train", batch)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs val_loss and the metrics."""
        self._step("val", batch)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Logs test_loss and the metrics; for a list of loaders, of each."""
        if batch_idx == 0:
            for metric in self._metrics("test").values():
                metric.reset()  # else a second loader's would be those of both
        self._step("test", batch)

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Answers for images, labelled or not."""
        images = batch if isinstance(batch, Tensor) else batch[0]
        return self.answers(self(images))

    def _metrics(self, stage: str) -> dict[str, Metric]:
        return dict(self.metrics[f"{stage}_metrics"].items())  # type: ignore[operator]

    def _step(self, stage: str, batch: Batch) -> Tensor:
        images, targets = batch
        outputs = self(images)
        loss = self.loss(outputs, targets)
        metrics = self._metrics(stage)
        for metric in metrics.values():
            metric(outputs, targets)
        log_step(self, stage, loss, metrics, batch_size=len(images))
        return loss
