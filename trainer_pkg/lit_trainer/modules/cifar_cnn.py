"""A plain convolutional network for CIFAR-10."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam

from lit_trainer.modules.classification import ClassifierModule


class CifarCNN(ClassifierModule):
    """Four 3x3 convolutions (32-32-64-64), two poolings, three linear layers (512-128-classes)."""

    def __init__(
        self,
        num_classes: int = 10,
        input_shape: tuple[int, int, int] = (3, 32, 32),  # channels, height, width
        learning_rate: float = 2e-4,  # a fifth of Adam's default: nothing here normalises between the layers
    ) -> None:
        super().__init__(num_classes)
        self.save_hyperparameters()
        self.features = nn.Sequential(
            nn.Conv2d(input_shape[0], 32, kernel_size=3),
            nn.ReLU(),
            nn.Conv2d(32, 32, kernel_size=3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, kernel_size=3),
            nn.ReLU(),
            nn.Conv2d(64, 64, kernel_size=3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.classifier = nn.Sequential(
            nn.Linear(_flattened_size(self.features, input_shape), 512),
            nn.ReLU(),
            nn.Linear(512, 128),
            nn.ReLU(),
            nn.Linear(128, num_classes),
            nn.LogSoftmax(dim=-1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities float32 [batch, classes] for images float32 [batch, *input_shape], normalised."""
        log_probabilities: Tensor = self.classifier(self.features(images))
        return log_probabilities

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood: the softmax is in the network already."""
        return functional.nll_loss(outputs, targets)

    def configure_optimizers(self) -> Adam:
        """Adam at one learning rate."""
        return Adam(self.parameters(), lr=self.hparams["learning_rate"])


@torch.no_grad()
def _flattened_size(features: nn.Module, input_shape: tuple[int, int, int]) -> int:
    """How many values the features of one image are: found by a dry run, right for any image size."""
    return int(features(torch.zeros(1, *input_shape)).numel())
