"""chemprop's graphs of atoms as tensors: molecules in rows, filled up to the size of the largest."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn


class Molecules(nn.Module):
    """A row is a molecule: atoms [rows, n, 72] and which of them are there, bonds [rows, m, 14] and what they join."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, atoms: Tensor, there: Tensor, bonds: Tensor, edges: Tensor, reverse: Tensor) -> Tensor:
        rows, n, m = atoms.shape[0], atoms.shape[1], bonds.shape[1]
        row = torch.arange(rows)[:, None]
        graph = SimpleNamespace(
            V=atoms.flatten(0, 1),
            E=bonds.flatten(0, 1),
            edge_index=(edges + n * row[:, None]).transpose(0, 1).flatten(1),
            rev_edge_index=(reverse + m * row).flatten(),
        )
        hidden = self.module.message_passing(graph).reshape(rows, n, -1) * there[..., None]
        return self.module.predictor(self.module.bn(self.pooled(hidden, there)))

    def pooled(self, hidden: Tensor, there: Tensor) -> Tensor:
        """As its MeanAggregation."""
        return hidden.sum(1) / there.sum(1, keepdim=True)


class Normed(Molecules):
    """For a model with a NormAggregation."""

    def pooled(self, hidden: Tensor, there: Tensor) -> Tensor:
        return hidden.sum(1) / self.module.agg.norm
