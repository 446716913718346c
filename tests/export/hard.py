"""Modules that an exporter or a lower precision cannot follow, for processes that import them by name."""

import os
import signal

import lightning.pytorch as pl
import torch
from torch import Tensor, nn


class DiesWhenTraced(pl.LightningModule):
    """Sums four numbers, and takes its process with it when torch.jit looks, as a bug in native code would."""

    def __init__(self) -> None:
        super().__init__()
        self.example_input_array = torch.zeros(2, 4)
        self.sum = nn.Linear(4, 1, bias=False)
        nn.init.ones_(self.sum.weight)

    def forward(self, rows: Tensor) -> Tensor:
        if torch.jit.is_tracing():
            os.kill(os.getpid(), signal.SIGSEGV)
        return self.sum(rows)


class NearTie(pl.LightningModule):
    """Bright images are class 1 by a little; in bfloat16, whose weights here are all 4.0, they are class 0."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Linear(1, 3)
        with torch.no_grad():
            self.scores.weight.copy_(torch.tensor([[3.9925], [4.015], [-4.0]]))
            self.scores.bias.copy_(torch.tensor([0.01, 0.0, 2.0]))

    def forward(self, images: Tensor) -> Tensor:
        return self.scores(images.mean((1, 2, 3))[:, None])
