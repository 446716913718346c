"""Modules that decide things in Python, of each kind; each asks for a look at its decisions."""

import torch
from torch import Tensor, nn


class Ragged(nn.Module):
    """Decisions on sizes that depend on values, on values, and on neither."""

    def __init__(self, doubled: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.doubled = doubled
        self.register_buffer("started", torch.tensor(1))

    def forward(self, x: Tensor) -> Tensor:
        if self.doubled:
            x = x * 2
        if self.started:
            x = x + 1
        mask = x > 100
        count = int(mask.sum())
        if count > 3:
            x = x * 3
        rows = x[mask]
        y = x * 2 if len(rows) else x
        if self._is_bright(x):
            y = y + 1
        _, features = x.shape
        if features % 2:
            y = y + 2
        for row in rows:
            y = y + row
        if y is None or y.shape[1] == 3:
            y = y - 1
        values = [value for value in x.tolist() if value[0] > 1000]
        if not values:
            return y
        return y + len(values)

    def _is_bright(self, x: Tensor) -> Tensor:
        return x.max() > 50


class Derived(nn.Module):
    """Its decision hangs on data through other names: a flag set under a conditional, a written buffer."""

    def forward(self, x: Tensor) -> Tensor:
        flag = False
        if x.min() < -1000:
            flag = True
        if flag:
            x = x + 1
        kept = torch.zeros(3, 4)
        kept[:2] = x[:2]
        if kept.sum() < -1000:
            x = x + 2
        return x


class Careful(nn.Module):
    """What it never reaches only raises, or is for training."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2:
            message = f"not {x.ndim}"
            raise ValueError(message)
        assert x.shape[0] > 0
        if self.training:
            x = x + torch.randn_like(x)
        return x


class EachColumn(nn.Module):
    """A head for each column, and only the first is ever asked: both sides run, and in every turn only one does."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.heads = nn.ModuleList(nn.Linear(4, 2) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        answer = torch.zeros(x.shape[0], 2)
        for column, head in enumerate(self.heads):
            if x[:, column].max() > (100 if column else -100):
                answer = answer + head(x)
        return answer


class UpToLength(nn.Module):
    """A guard on an input that says how much of the other one is there."""

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        if length.max() == 0:
            return torch.zeros_like(x)
        return x * length[:, None]


class Clipped(nn.Module):
    """A rare branch on data beside one on configuration."""

    def __init__(self, normed: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 2)
        self.normed = normed

    def forward(self, x: Tensor) -> Tensor:
        if self.normed:
            x = nn.functional.normalize(x)
        if x.max() > 50:
            x = x / 50
        return self.linear(x)
