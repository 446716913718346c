"""A small convolutional network for small grayscale images."""

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.classification import MulticlassAccuracy

Batch = tuple[Tensor, Tensor]  # images float32 [batch, 1, height, width], classes int64 [batch]


class DigitsCNN(pl.LightningModule):
    """Three convolutions and a linear layer; about 60 thousand parameters."""

    def __init__(
        self,
        num_classes: int = 10,
        width: int = 24,
        dropout: float = 0.2,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__()
        # Plain values only, so that the checkpoint loads with weights_only=True.
        self.save_hyperparameters()
        self.network = nn.Sequential(
            _block(1, width),
            _block(width, 2 * width),
            nn.MaxPool2d(2),
            _block(2 * width, 4 * width),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(16 * width, num_classes),
        )
        self.val_accuracy = MulticlassAccuracy(num_classes, average="micro")
        self.test_accuracy = MulticlassAccuracy(num_classes, average="micro")

    def forward(self, images: Tensor) -> Tensor:
        """Logits float32 [batch, classes] for images float32 [batch, 1, height, width], normalised."""
        logits: Tensor = self.network(images)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross-entropy of a batch."""
        images, classes = batch
        loss = functional.cross_entropy(self(images), classes)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs val_loss and val_acc."""
        images, classes = batch
        logits = self(images)
        self.val_accuracy(logits, classes)
        self.log("val_loss", functional.cross_entropy(logits, classes), prog_bar=True)
        self.log("val_acc", self.val_accuracy, prog_bar=True)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs test_loss and test_acc."""
        images, classes = batch
        logits = self(images)
        self.test_accuracy(logits, classes)
        self.log("test_loss", functional.cross_entropy(logits, classes))
        self.log("test_acc", self.test_accuracy)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Probabilities float32 [batch, classes]."""
        images, _ = batch
        return torch.softmax(self(images), dim=-1)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW under one cosine from the learning rate to zero, step by step."""
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=self.hparams["learning_rate"], weight_decay=self.hparams["weight_decay"]
        )
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )
