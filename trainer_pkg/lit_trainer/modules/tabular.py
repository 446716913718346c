"""Networks on the rows of a table: a multilayer perceptron for classes, and one for numbers."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW
from torchmetrics import MeanAbsoluteError, Metric, R2Score

from lit_infer.tasks import tabular
from lit_trainer.modules.classification import ClassifierModule
from lit_trainer.modules.supervised import Stage, SupervisedModule


def perceptron(inputs: int, outputs: int, hidden: Sequence[int], dropout: float) -> nn.Sequential:
    """Linear layers with ReLU and dropout between them."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(inputs, size), nn.ReLU(), nn.Dropout(dropout)]
        inputs = size
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class TabularClassifier(ClassifierModule):
    """One of several classes for each row."""

    deployment_task = tabular.CLASSIFICATION.name

    def __init__(
        self,
        num_columns: int,
        num_classes: int = 2,
        hidden: Sequence[int] = (64, 32),
        dropout: float = 0.1,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(num_classes)
        self.save_hyperparameters()
        self.network = perceptron(num_columns, num_classes, hidden, dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """Logits float32 [batch, classes] for rows float32 [batch, columns], standardised."""
        logits: Tensor = self.network(rows)
        return logits

    def configure_optimizers(self) -> AdamW:
        """AdamW at one learning rate."""
        return AdamW(self.parameters(), lr=self.hparams["learning_rate"], weight_decay=self.hparams["weight_decay"])


class TabularRegressor(SupervisedModule):
    """One number for each row; it learns (value - target_mean) / target_std, and answers in the value's own unit."""

    deployment_task = tabular.REGRESSION.name

    def __init__(  # noqa: PLR0913 - a parameter is an option of the command
        self,
        num_columns: int,
        target_mean: float = 0.0,
        target_std: float = 1.0,
        *,
        hidden: Sequence[int] = (64, 32),
        dropout: float = 0.1,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(1)
        self.save_hyperparameters()
        self.network = perceptron(num_columns, 1, hidden, dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """Values float32 [batch, 1] for rows float32 [batch, columns], standardised."""
        values: Tensor = self.network(rows) * self.hparams["target_std"] + self.hparams["target_mean"]
        return values

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Metric]:
        """`mae`, the mean absolute error; but for training also `r2`, which needs many rows."""
        metrics: dict[str, Metric] = {"mae": MeanAbsoluteError()}
        if stage != "train":
            metrics["r2"] = R2Score()
        return metrics

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean squared error, of values in standard deviations."""
        std: float = self.hparams["target_std"]
        return functional.mse_loss(outputs, targets) / std**2

    def answers(self, outputs: Tensor) -> Tensor:
        """The values themselves."""
        return outputs

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW at one learning rate."""
        return AdamW(self.parameters(), lr=self.hparams["learning_rate"], weight_decay=self.hparams["weight_decay"])
