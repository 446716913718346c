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
    """Brighter images are class 1, by less than what float16 tells from class 0."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
        with torch.no_grad():
            for layer in (self.layers[2], self.layers[4]):
                layer.weight.copy_(torch.eye(3))
                layer.bias.zero_()
            self.layers[0].weight.copy_(torch.tensor([[4.0], [4.0], [-4.0]]))
            self.layers[0].bias.copy_(torch.tensor([0.0, 1e-4, 2.0]))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images.mean((1, 2, 3))[:, None])
