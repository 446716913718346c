"""Modules that need more than text to be built, and what users write to build them: factories, adapters."""

import enum
from argparse import Namespace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn


class Mode(enum.Enum):
    """What the answer is taken times."""

    ONCE = 1
    TWICE = 2


class Net(nn.Module):
    """A part that a LightningModule is given."""

    def __init__(self, width: int = 3, act: nn.Module | None = None) -> None:
        super().__init__()
        self.layer = nn.Linear(4, width)
        self.act = act or nn.Identity()

    def forward(self, rows: Tensor) -> Tensor:
        return self.act(self.layer(rows))


class Composed(pl.LightningModule):
    """Built by LightningCLI, or by Hydra: a part, an enum and an optimizer."""

    def __init__(
        self,
        net: nn.Module,
        scale: float = 1.0,
        mode: Mode = Mode.ONCE,
        optimizer: OptimizerCallable = torch.optim.Adam,
        classes: int = 3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net, self.factor, self.optimizer, self.classes = net, scale * mode.value, optimizer, classes

    def forward(self, rows: Tensor) -> Tensor:
        return self.net(rows) * self.factor


class Simple(pl.LightningModule):
    """Takes plain values."""

    def __init__(self, width: int = 3, scale: float = 1.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer, self.scale = nn.Linear(4, width), scale

    def forward(self, rows: Tensor) -> Tensor:
        return self.layer(rows) * self.scale


class Configured(pl.LightningModule):
    """Takes one configuration, which it reads as attributes and as items."""

    def __init__(self, cfg) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.save_hyperparameters(cfg)
        self.layer = nn.Linear(4, cfg.net.width)
        self.scale = cfg["scale"]

    def forward(self, rows: Tensor) -> Tensor:
        return self.layer(rows) * self.scale


class Passing(Simple):
    """Hands everything on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class OwnLoading(Simple):
    """Restores what Lightning does not know of."""

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Path, **kwargs: Any) -> "OwnLoading":
        """As third-party packages override it."""
        module = super().load_from_checkpoint(checkpoint_path, **kwargs)
        module.scale = torch.load(checkpoint_path, weights_only=False)["own"].scale
        return module


class Data(pl.LightningDataModule):
    """What a configuration may also describe."""

    def __init__(self, folder: str = "data", classes: int = 5) -> None:
        super().__init__()
        self.folder, self.classes = folder, classes


class Softmaxed(nn.Module):
    """An adapter: put around a loaded module."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.dropout = nn.Dropout(0.9)

    def forward(self, rows: Tensor) -> Tensor:
        return self.dropout(self.module(rows).softmax(-1))


def doubled(module: nn.Module) -> nn.Module:
    """An adapter that is a function."""
    return nn.Sequential(module, Twice())


class Twice(nn.Module):
    """Takes everything times two."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows * 2


def nothing(module: nn.Module) -> None:
    """No adapter: it returns nothing."""


def composed(scale: float, width: int = 3) -> nn.Module:
    """A factory that asks for one recorded hyperparameter."""
    return Composed(Net(width), scale=scale)


def of_all(**hparams: Any) -> nn.Module:
    """A factory that takes whatever was recorded."""
    return Composed(Net(), scale=hparams["scale"])


def of_config(cfg: Any) -> nn.Module:
    """A factory that takes all as one object."""
    return Composed(Net(cfg.net.width), scale=cfg["scale"])


def of_namespace(args: Namespace) -> nn.Module:
    """A factory that says which kind of object."""
    return Composed(Net(vars(args)["width"]), scale=args.scale)


def alone() -> nn.Module:
    """A factory without arguments, whose weights are its own."""
    return Net(5)


not_callable = 3
