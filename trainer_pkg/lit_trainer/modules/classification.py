"""The steps and metrics that all classifiers share."""

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.classification import MulticlassAccuracy

from lit_trainer.modules.step_metrics import log_step

Batch = tuple[Tensor, Tensor]  # images float32 [batch, channels, height, width], classes int64 [batch]


class ClassifierModule(pl.LightningModule):
    """A subclass brings `forward` (images in, logits or log-probabilities [batch, classes] out) and its optimizer."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        # Without validation: it would read every batch back from the device to look for a class out of range.
        self.train_accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)
        self.val_accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)
        self.test_accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)

    def loss(self, outputs: Tensor, classes: Tensor) -> Tensor:
        """What is minimised, a scalar."""
        return functional.cross_entropy(outputs, classes)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch; logs train_loss and train_acc per step and per epoch."""
        return self._step("train", batch, self.train_accuracy)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs val_loss and val_acc."""
        self._step("val", batch, self.val_accuracy)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Logs test_loss and test_acc; for a list of loaders, of each."""
        if batch_idx == 0:
            self.test_accuracy.reset()  # else a second loader's accuracy would be that of both
        self._step("test", batch, self.test_accuracy)

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Probabilities float32 [batch, classes], of images with classes or without."""
        images = batch if isinstance(batch, Tensor) else batch[0]
        return torch.softmax(self(images), dim=-1)  # of log-probabilities it is their exponential

    def _step(self, stage: str, batch: Batch, accuracy: MulticlassAccuracy) -> Tensor:
        images, classes = batch
        outputs = self(images)
        loss = self.loss(outputs, classes)
        accuracy(outputs, classes)
        log_step(self, stage, loss, accuracy, batch_size=len(images))
        return loss
