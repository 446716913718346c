"""Keep every checkpoint in the folder registry: what W&B does online, without a network."""

import shutil
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from lit_infer import artifacts

CHECKPOINT_FILE = "model.ckpt"  # W&B's name for it


class FolderRegistryLogger(Logger):
    """Publishes checkpoints as `local/<project>/<model>`, with the aliases `latest` and `best`.

    A checkpoint is copied when `ModelCheckpoint` saves it; training may overwrite its own file afterwards.
    """

    def __init__(self, project: str, model: str) -> None:
        super().__init__()
        self._reference = artifacts.parse(f"local/{project}/{model}")
        self._registry = artifacts.folder_registry()
        self._published: dict[str, int] = {}

    @property
    def name(self) -> str | None:
        """None: the run is named by the logger that tracks it."""
        return None

    @property
    def version(self) -> str | None:
        """None: the run is named by the logger that tracks it."""
        return None

    @property
    def best(self) -> artifacts.Reference | None:
        """The reference for lit-export; None before anything was saved."""
        return self._reference.at("best") if self._published else None

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Metrics are another logger's work."""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Hyperparameters are in the checkpoint."""

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Publish what the callback has just saved; the best last, so that `latest` is never worse by accident."""
        best = checkpoint_callback.best_model_path
        for path in dict.fromkeys((checkpoint_callback.last_model_path, best)):
            if not path or not Path(path).is_file() or self._is_published(path):
                continue
            self._publish(Path(path), checkpoint_callback, is_best=path == best)

    def _is_published(self, path: str) -> bool:
        saved = Path(path).stat().st_mtime_ns
        known = self._published.get(path) == saved
        self._published[path] = saved
        return known

    def _publish(self, path: Path, callback: ModelCheckpoint, *, is_best: bool) -> None:
        score = callback.best_model_score if is_best else callback.current_score
        metadata = {
            "score": float(score) if score is not None else None,
            "monitor": callback.monitor,
            "mode": callback.mode,
            "original_filename": path.name,
        }
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(path, Path(folder) / CHECKPOINT_FILE)
            self._registry.publish(
                Path(folder), self._reference, type="model", aliases=["best"] if is_best else [], metadata=metadata
            )
