"""A small convolutional network for small grayscale images."""

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from lit_trainer.modules.classification import ClassifierModule
from lit_trainer.modules.optimizers import every_step, make_optimizer, make_scheduler


class DigitsCNN(ClassifierModule):
    """Three convolutions and a linear layer; about 60 thousand parameters."""

    def __init__(
        self,
        num_classes: int = 10,
        width: int = 24,
        dropout: float = 0.2,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(num_classes)
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

    def forward(self, images: Tensor) -> Tensor:
        """Logits float32 [batch, classes] for images float32 [batch, 1, height, width], normalised."""
        logits: Tensor = self.network(images)
        return logits

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW under one cosine from the learning rate to zero, step by step."""
        optimizer = make_optimizer(
            self.parameters(),
            "adamw",
            learning_rate=self.hparams["learning_rate"],
            weight_decay=self.hparams["weight_decay"],
        )
        return every_step(optimizer, make_scheduler(optimizer, "cosine", trainer=self.trainer))


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )
