"""A small network and the digits, prepared by whatever transform is named."""

import importlib
from pathlib import Path

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder


class Net(pl.LightningModule):
    """Ten classes from RGB images of 32 x 32."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 15 * 15, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.layers(x)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Cross entropy."""
        images, classes = batch
        return nn.functional.cross_entropy(self(images), classes)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Digits(pl.LightningDataModule):
    """Images of one folder per class, through the `evaluation` of a module."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__()
        self.data = ImageFolder(folder, transform=importlib.import_module(name).evaluation)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, int]]:
        """Shuffled."""
        return DataLoader(self.data, batch_size=32, shuffle=True)
