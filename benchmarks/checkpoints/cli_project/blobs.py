"""The project's modules."""

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Encoder(nn.Module):
    def __init__(self, width: int = 8, activation: nn.Module = nn.ReLU(), dropout: float = 0.0):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(12, width), activation, nn.Dropout(dropout), nn.Linear(width, width))
        self.width = width

    def forward(self, x):
        return self.layers(x)


class Classifier(LightningModule):
    def __init__(
        self,
        encoder: Encoder,
        classes: int = 3,
        temperature: float = 1.0,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable = torch.optim.lr_scheduler.ConstantLR,
    ):
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(encoder.width, classes)
        self.temperature, self.optimizer, self.scheduler = temperature, optimizer, scheduler

    def forward(self, x):
        return self.head(self.encoder(x)) / self.temperature

    def training_step(self, batch, _):
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, _):
        self.log("val_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        optimizer = self.optimizer(self.parameters())
        return {"optimizer": optimizer, "lr_scheduler": self.scheduler(optimizer)}


class Blobs(LightningDataModule):
    def __init__(self, rows: int = 64, batch_size: int = 16):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage):
        generator = torch.Generator().manual_seed(0)
        y = torch.arange(self.hparams.rows) % 3
        self.data = TensorDataset(torch.randn(self.hparams.rows, 12, generator=generator) + y[:, None], y)

    def train_dataloader(self):
        return DataLoader(self.data, batch_size=self.hparams.batch_size)

    val_dataloader = train_dataloader
