"""Numbers from images: one of torchvision's architectures by name, or a network of your own."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanAbsoluteError, Metric, R2Score

from lit_infer.tasks import image_regression
from lit_trainer.modules.image_network import ImageNetwork
from lit_trainer.modules.supervised import Stage


class ImageRegressor(ImageNetwork):
    """`num_values` numbers for each image; the other options are those of `ImageNetwork`.

    Targets are float32 [batch, values]. Networks learn values about 0 best: give the mean and the standard deviation
    of each in training, `target_mean` and `target_std`, and the network learns (value - mean) / std; what the module
    answers stays in the values' own units.
    """

    deployment_task = image_regression.TASK.name
    derived_hparams = ("num_classes",)

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        num_values: int = 1,
        *,
        target_mean: Sequence[float] | None = None,
        target_std: Sequence[float] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(num_classes=num_values, **options)
        self.register_buffer("mean", torch.tensor(target_mean or [0.0] * num_values))
        self.register_buffer("std", torch.tensor(target_std or [1.0] * num_values))

    def forward(self, images: Tensor) -> Tensor:
        """Values float32 [batch, values], in their own units."""
        return super().forward(images) * self.std + self.mean

    def make_metrics(self, size: int, stage: Stage) -> Mapping[str, Metric]:
        """`mae`, the mean absolute error; but for training also `r2`, which needs many images."""
        metrics: dict[str, Metric] = {"mae": MeanAbsoluteError()}
        if stage != "train":
            metrics["r2"] = R2Score()
        return metrics

    def built_in_loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """The mean squared error, of values in standard deviations."""
        del label_smoothing
        return functional.mse_loss((outputs - self.mean) / self.std, (targets - self.mean) / self.std)

    def answers(self, outputs: Tensor) -> Tensor:
        """The values themselves."""
        return outputs
