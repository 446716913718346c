"""A module on the rows of a table as users write it, and how they prepare rows."""

from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

NUMBERS = np.random.default_rng(0).normal((3, 40), (1, 10), (50, 2))
SCALER = StandardScaler().fit(NUMBERS)
NOT_FITTED = StandardScaler()
NO_TRANSFORMER = 3


class Net(pl.LightningModule):
    """Two classes from two numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(2, 2)
        nn.init.constant_(self.body.bias, 0.0)
        self.body.weight.data = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])

    def forward(self, rows: Tensor) -> Tensor:
        return self.body(rows)


class Embedded(pl.LightningModule):
    """Two classes from numbers, and the indices of categories."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head = nn.Embedding(4, 2), nn.Linear(4, 2)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        return self.head(torch.cat([numbers, self.embedding(categories[:, 0])], dim=1))


def scaler() -> StandardScaler:
    """A function that makes it."""
    return SCALER


def prepare(row: dict[str, Any]) -> Tensor:
    """As training did it."""
    scaled = SCALER.transform([[row["x0"], row["x1"]]])[0]
    return torch.tensor(scaled, dtype=torch.float32)


def by_name(row: dict[str, Any]) -> dict[str, Any]:
    """The same, by the name of the input."""
    return {"rows": prepare(row)}


def unscaled(row: dict[str, Any]) -> list[float]:
    """Not as it was stated."""
    return [row["x0"], row["x1"]]


def too_few(row: dict[str, Any]) -> list[float]:
    """One of two."""
    return [row["x0"]]


def misnamed(row: dict[str, Any]) -> dict[str, Any]:
    """The input under another name."""
    return {"x": prepare(row)}


def broken(row: dict[str, Any]) -> None:
    """Code that fails."""
    raise KeyError("x9")
