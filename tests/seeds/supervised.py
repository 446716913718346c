"""One LightningModule for any network and any loss."""

import lightning.pytorch as pl
import torch
from torch import nn


class SmallNet(nn.Module):
    """The network that is given to it here."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)
        self.out = nn.Linear(8 * 15 * 15, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.out(x.view(x.size(0), -1))


class Supervised(pl.LightningModule):
    """Takes the network and the loss as objects, which no checkpoint should hold."""

    def __init__(self, model, criterion, lr):
        super().__init__()
        self.save_hyperparameters(ignore=["model", "criterion"])
        self.model = model
        self.criterion = criterion

    def forward(self, x):
        return self.model(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.criterion(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.criterion(self(x), y))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


class SupervisedSmallNet(Supervised):
    """The same with its network built in, so that a checkpoint of the other can be loaded."""

    def __init__(self, lr=0.01):
        super().__init__(SmallNet(), nn.CrossEntropyLoss(), lr)
