"""A multilayer perceptron for MNIST."""

from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam

from lit_trainer.modules.classification import ClassifierModule


class MnistMLP(ClassifierModule):
    """784 pixels, two hidden layers, log-softmax."""

    def __init__(
        self,
        num_classes: int = 10,
        n_layer_1: int = 128,
        n_layer_2: int = 256,
        learning_rate: float = 1e-3,  # Adam's own default
    ) -> None:
        super().__init__(num_classes)
        self.save_hyperparameters()
        self.network = nn.Sequential(
            nn.Flatten(),
            nn.Linear(28 * 28, n_layer_1),
            nn.ReLU(),
            nn.Linear(n_layer_1, n_layer_2),
            nn.ReLU(),
            nn.Linear(n_layer_2, num_classes),
            nn.LogSoftmax(dim=-1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities float32 [batch, classes] for images float32 [batch, 1, 28, 28]."""
        log_probabilities: Tensor = self.network(images)
        return log_probabilities

    def loss(self, outputs: Tensor, classes: Tensor) -> Tensor:
        """Negative log-likelihood: the softmax is in the network already."""
        return functional.nll_loss(outputs, classes)

    def configure_optimizers(self) -> Adam:
        """Adam at one learning rate."""
        return Adam(self.parameters(), lr=self.hparams["learning_rate"])
