"""From a checkpoint to the module that is deployed: the user's class, in eval mode, from image to probabilities."""

import importlib
import os
import sys
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from lit_export.checkpoint import Checkpoint
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.manifest import DeploymentFacts

_TRUSTED = "lit_trainer"


def load_module(checkpoint: Checkpoint, *, class_path: str | None) -> pl.LightningModule:
    """The checkpoint's LightningModule, on the CPU and in eval mode.

    A class path inside a checkpoint is data: only one of lit_trainer is followed, any other is given by the
    caller (`--class pkg.mod:Cls`).
    """
    cls = find_class(class_path or _recorded_class(checkpoint))
    if "_instantiator" in checkpoint.contents.get("hyper_parameters", {}):
        raise ArtifactError(
            f"{checkpoint.path} asks for an instantiator of its own. Train with "
            "LightningCLI(load_from_checkpoint_support=False), or with lit-train"
        )
    try:
        module = cls.load_from_checkpoint(checkpoint.path, map_location="cpu", weights_only=True)
    except (TypeError, RuntimeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ArtifactError(f"{checkpoint.path} does not fit {cls.__qualname__}: {' '.join(lines[:2])}") from None
    return module.eval()  # load_from_checkpoint leaves it in training mode, and dropout would be exported


def find_class(path: str) -> type[pl.LightningModule]:
    """The LightningModule at `pkg.mod:Cls` or `pkg.mod.Cls`, looked for in the current folder too."""
    module_name, _, class_name = path.replace(":", ".").rpartition(".")
    if not module_name:
        raise UsageError(f"--class {path}: expected pkg.mod:Cls")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = getattr(importlib.import_module(module_name), class_name)
    except ModuleNotFoundError as error:
        raise UsageError(f"--class {path}: no module {error.name!r} here. Install it, or run from its folder") from None
    except AttributeError:
        raise UsageError(f"--class {path}: {module_name} has no {class_name}") from None
    if not (isinstance(found, type) and issubclass(found, pl.LightningModule)):
        raise UsageError(f"--class {path}: not a LightningModule")
    return found


def _recorded_class(checkpoint: Checkpoint) -> str:
    recorded = checkpoint.record.deployment.class_path if checkpoint.record else None
    if recorded and recorded.partition(".")[0] == _TRUSTED:
        return recorded
    hint = recorded or "pkg.mod:Cls"
    why = "names a class outside lit_trainer" if recorded else "does not name its class"
    raise UsageError(f"{checkpoint.path} {why}. If you trust that code, add: --class {hint}")


class Classifier(nn.Module):
    """Images uint8 [batch, height, width, channels] in, probabilities float32 [batch, classes] out.

    Scaling, normalisation, layout and softmax are in the graph: the host sends bytes as decoded. The arithmetic
    is that of torchvision v2's ToDtype(scale=True) and Normalize, operation by operation.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__()
        self.module = module
        self.normalized = facts.normalize is not None
        if facts.normalize is not None:
            self.register_buffer("mean", torch.tensor(facts.normalize.mean).view(1, -1, 1, 1))
            self.register_buffer("std", torch.tensor(facts.normalize.std).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities, each row summing to 1. Log-probabilities from the module give the same as logits."""
        pixels = images.permute(0, 3, 1, 2).to(torch.float32) * (1.0 / 255)
        if self.normalized:
            pixels = (pixels - self.mean) / self.std
        return torch.softmax(self.module(pixels), dim=-1)


def deployable(module: nn.Module, facts: DeploymentFacts) -> nn.Module:
    """The module with its task's head and host-free preprocessing around it."""
    if facts.task != "image-classification":
        raise UsageError(f"task {facts.task} cannot be exported yet; image-classification can")
    return Classifier(module, facts).eval()
