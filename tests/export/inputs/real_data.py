"""Modules and data modules as people write them, for tests of real inputs."""

# ruff: noqa: ARG002 - hooks have the parameters that Lightning gives them

from types import ModuleType
from typing import Any

import lightning.pytorch
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

ROWS = torch.arange(80, dtype=torch.float32).reshape(20, 4) + 0.5
DOMAINS = torch.arange(20) % 3


def module_class(pl: ModuleType) -> type:
    """A module whose step does all that steps do, and fails after its call of `forward`."""

    class Experts(pl.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)
            self.seen: list[Tensor] = []

        def forward(self, x: Tensor, domain: Tensor, *, scale: float = 1.0) -> Tensor:
            return self.layer(x) * domain[:, None] * scale  # type: ignore[no-any-return]

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            x, domain, _ = batch
            answer = self.forward(x, domain, scale=2.0)
            self.seen.append(answer)
            self.log("mean", answer.mean(), sync_dist=True)
            self.log_dict({"epoch": self.trainer.current_epoch})
            self.logger.experiment.add_scalar("x", 1, self.global_step)
            raise ValueError("a metric that needs an epoch")

    return Experts


def data_class(pl: ModuleType) -> type:
    """Its data are there after `setup("fit")` alone, and its loader has workers."""

    class Data(pl.LightningDataModule):  # type: ignore[name-defined, misc]
        prepared = False

        def prepare_data(self) -> None:
            self.prepared = True

        def setup(self, stage: str) -> None:
            assert self.prepared
            if stage == "fit":
                self.rows = TensorDataset(ROWS, DOMAINS, torch.zeros(20))

        def val_dataloader(self) -> Any:
            return DataLoader(self.rows, batch_size=8, num_workers=2, persistent_workers=True)

        def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            return [batch[0] / 80, *batch[1:]]

    return Data


Experts, Data = module_class(lightning.pytorch), data_class(lightning.pytorch)


class OnlyTraining(lightning.pytorch.LightningDataModule):
    """No validation data; batches of one row."""

    def train_dataloader(self) -> Any:
        return DataLoader(TensorDataset(ROWS, DOMAINS, torch.zeros(20)), batch_size=1)


class Needs(lightning.pytorch.LightningDataModule):
    def __init__(self, folder: str) -> None:
        super().__init__()


class Broken(lightning.pytorch.LightningDataModule):
    def setup(self, stage: str) -> None:
        raise FileNotFoundError("no such folder: /data")

    def val_dataloader(self) -> Any: ...


class Nothing(lightning.pytorch.LightningDataModule):
    pass


def loader() -> Any:
    return DataLoader(TensorDataset(ROWS, DOMAINS), batch_size=5)


def to_inputs(batch: Any) -> dict[str, Tensor]:
    return {"x": batch[0], "domain": batch[1]}


def to_nothing(batch: Any) -> Any:
    return batch["x"]
