"""LightningModules as a user might have written them: not from lit_trainer, some of them hard to export."""

import lightning.pytorch as pl
import torch
from torch import Tensor, nn


class Plain(pl.LightningModule):
    """Logits from RGB images of 8x8."""

    def __init__(self, classes: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        self.save_hyperparameters()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(3 * 8 * 8, classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


class BranchesOnTraining(Plain):
    """Answers something else while it trains."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), 3) if self.training else super().forward(images)


class BranchesOnBatchSize(Plain):
    """No exporter can follow this: the answer depends on the batch size in Python."""

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        return logits if images.shape[0] == 2 else logits * 3


class NotFinite(Plain):
    """A diverged model."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * float("nan")


class NotAModule:
    """No LightningModule at all."""
