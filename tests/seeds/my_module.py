"""What a user of lit-train has in the folder that they run it in: modules and data of their own."""

import lightning.pytorch as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Base(pl.LightningModule):
    """What all here have in common."""

    def training_step(self, batch, batch_idx):
        return self.answer(batch).square().mean()

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.answer(batch).square().mean())

    def answer(self, batch):
        return self(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


class Unsaved(Base):
    """Does not save its hyperparameters; a view after a convolution."""

    def __init__(self, width: int = 8, names: tuple[str, ...] = ()):
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, width, 3), nn.Linear(width * 36, len(names) or 3)

    def forward(self, images):
        hidden = self.conv(images)
        return self.out(hidden.view(len(hidden), -1))


class Saved(Unsaved):
    """Does."""

    def __init__(self, width: int = 8):
        super().__init__(width)
        self.save_hyperparameters()


class TwoInputs(Base):
    """A row and a number for it."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(5, 4), nn.Linear(4, 2)

    def forward(self, row, kind):
        return self.out(row + self.embed(kind))

    def answer(self, batch):
        row, kind, _ = batch
        return self(row, kind)


class Tokens(Base):
    """Takes a dict's entries by keyword, in another order than its arguments, and leaves one out."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(30, 4), nn.Linear(4, 2)

    def forward(self, input_ids, token_type_ids=None, attention_mask=None):
        return self.out(self.embed(input_ids) * attention_mask[..., None])

    def answer(self, batch):
        return self(attention_mask=batch["attention_mask"], input_ids=batch["input_ids"])


class StepsOnly(Base):
    """`forward` is for inference; the steps call the layers."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))

    def forward(self, images):
        return self.net(images).softmax(-1)

    def answer(self, batch):
        return self.net(batch[0])


class Example(TwoInputs):
    """Says what it takes by itself."""

    def __init__(self):
        super().__init__()
        self.example_input_array = (torch.randn(2, 4), torch.tensor([0, 4]))


class Given(Base):
    """Takes its network as an object."""

    def __init__(self, net: nn.Module, scale: float = 1.0):
        super().__init__()
        self.save_hyperparameters(ignore=["net"])
        self.net = net

    def forward(self, images):
        return self.net(images).flatten(1) * self.hparams.scale


class Rows(Dataset):
    """As many rows as a test needs."""

    def __init__(self, row):
        self.row = row

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.row


class Data(pl.LightningDataModule):
    """Knows nothing of deployment."""

    row = (torch.ones(3, 8, 8), 1)

    def train_dataloader(self):
        return DataLoader(Rows(self.row), batch_size=4)

    def val_dataloader(self):
        return DataLoader(Rows(self.row), batch_size=4)


class TwoInputsData(Data):
    """A row, its kind and a target."""

    row = (torch.ones(4), 3, 1.0)


class TokensData(Data):
    """As a tokenizer gives them."""

    def __init__(self):
        super().__init__()
        self.row = {"input_ids": torch.arange(6), "attention_mask": torch.ones(6, dtype=torch.int64), "labels": 1}
