"""Lightning's WandbLogger, which runs offline where there is no account instead of asking for one."""

import os
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import loggers
from lightning.pytorch.utilities import rank_zero_only

from lit_infer import console
from lit_infer.artifacts.mode import wandb_mode


class WandbLogger(loggers.WandbLogger):
    """`log_model="all"` logs every checkpoint as an artifact, with the aliases `latest` and `best`.

    Offline nothing is lost: the run and its artifacts are staged in `save_dir`, and `wandb sync` uploads them.
    """

    def __init__(
        self,
        project: str,
        name: str | None = None,
        log_model: Literal["all"] | bool = "all",
        checkpoint_name: str | None = None,
        save_dir: str = "artifacts/runs",
        **kwargs: Any,
    ) -> None:
        mode = wandb_mode()
        if not mode.online:
            # Not WandbLogger(offline=True): that refuses log_model, although artifacts can be staged offline.
            os.environ["WANDB_MODE"] = "offline" if "disabled" not in mode.reason else "disabled"
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        # Our own lines say the same in fewer words.
        os.environ.setdefault("WANDB_SILENT", "true")
        Path(save_dir).mkdir(parents=True, exist_ok=True)
        super().__init__(
            project=project,
            name=name,
            log_model=log_model,
            checkpoint_name=checkpoint_name,
            save_dir=save_dir,
            **kwargs,
        )
        self._wandb_init.pop("anonymous", None)  # wandb warns that it no longer means anything
        rank_zero_only(console.note)(f"tracking: W&B {'online' if mode.online else 'offline'} ({mode.reason})")

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Log what is left, and say where the run is."""
        super().finalize(status)
        if self._experiment is None or not isinstance(self._experiment.dir, str):
            return
        if self._experiment.offline:
            console.note(f"tracking: upload this offline run with: wandb sync {_short(self._experiment.dir)}")
        elif self._experiment.url:
            console.note(f"tracking: {self._experiment.url}")


def _short(folder: str) -> str:
    """The run's folder, relative to here where that is shorter."""
    run = Path(folder).parent
    return str(run.relative_to(Path.cwd()) if run.is_relative_to(Path.cwd()) else run)
