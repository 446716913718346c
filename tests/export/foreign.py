"""LightningModules as a user might have written them: not from lit_trainer, some of them hard to export."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn


class Plain(pl.LightningModule):
    """Logits from RGB images of 8x8."""

    def __init__(self, classes: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        self.save_hyperparameters()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(3 * 8 * 8, classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


class BranchesOnTraining(Plain):
    """Answers something else while it trains."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), 3) if self.training else super().forward(images)


class BranchesOnBatchSize(Plain):
    """No exporter can follow this: the answer depends on the batch size in Python."""

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        return logits if images.shape[0] == 2 else logits * 3


class NotFinite(Plain):
    """A diverged model."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * float("nan")


class NotAModule:
    """No LightningModule at all."""


class Needy(pl.LightningModule):
    """Needs arguments, one of them an object, and takes no others."""

    def __init__(self, classes: int, width: int = 4, backbone: nn.Module | None = None) -> None:  # noqa: ARG002
        super().__init__()
        self.save_hyperparameters(ignore=["backbone"])
        self.body = nn.Sequential(nn.Linear(4, width), nn.Linear(width, classes))

    def forward(self, rows: Tensor) -> Tensor:
        return self.body(rows)


class NeedsAnObject(Needy):
    """The object has no default."""

    def __init__(self, backbone: nn.Module, classes: int = 2) -> None:  # noqa: ARG002
        super().__init__(classes)


class OneDict(pl.LightningModule):
    """All hyperparameters in one argument, read as attributes."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.save_hyperparameters(config)
        self.body = nn.Linear(config["width"], 2)


class Nested(pl.LightningModule):
    """Parts within parts."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"backbone": nn.Sequential(nn.Linear(4, 3), nn.Dropout()), "neck": nn.Identity()})
        self.head = nn.Linear(3, 2)


class RenamesWhenLoaded(Nested):
    """Its hook repairs what an older version saved."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["state_dict"]
        for key in [key for key in state if key.startswith("top.")]:
            state[key.replace("top.", "head.")] = state.pop(key)


class KeepsWhatItSaved(Nested):
    """Its hook puts back a loss and a mode, which are objects in the file."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.criterion = checkpoint["loss_fn"]
        self.mode = checkpoint["mode"]


class UsesWhatItSaved(Nested):
    """Its hook asks the object that is in the file."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.smoothing = checkpoint["loss_fn"].label_smoothing


class Lenient(Nested):
    """Takes what fits."""

    strict_loading = False


class Compiled(Nested):
    """Compiles a part when it is made, so that its own keys have the prefix."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.compile(self.head)  # type: ignore[assignment] # a module stays one


class Raises(pl.LightningModule):
    """Its own code fails."""

    def __init__(self) -> None:
        super().__init__()
        raise KeyError("weights/imagenet.pth")
