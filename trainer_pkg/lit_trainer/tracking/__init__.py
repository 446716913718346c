"""Where runs and checkpoints are recorded: a logger for each registry of `lit_infer.artifacts.PROVIDERS`."""

from lit_trainer.tracking.folder_registry import FolderRegistryLogger
from lit_trainer.tracking.wandb import WandbLogger

__all__ = ["LOGGERS", "FolderRegistryLogger", "WandbLogger"]

LOGGERS = {"folder": FolderRegistryLogger, "wandb": WandbLogger}
"""By the registry that the checkpoints go to."""
