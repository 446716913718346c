"""Where runs and checkpoints are recorded: W&B, and the folder registry."""

from lit_trainer.tracking.folder_registry import FolderRegistryLogger
from lit_trainer.tracking.wandb import WandbLogger

__all__ = ["FolderRegistryLogger", "WandbLogger"]
