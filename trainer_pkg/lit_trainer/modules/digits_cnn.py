"""A small convolutional network for small grayscale images."""

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from lit_trainer.modules.classification import ClassifierModule
from lit_trainer.modules.optimizers import every_step, make_optimizer, make_scheduler
from lit_trainer.modules.small_cnn import small_cnn


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
        self.network = small_cnn(1, num_classes, width=width, dropout=dropout)

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
