"""Lightning's WandbLogger, which keeps training without an account, a network or a reachable server."""

import os
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch import loggers
from lightning.pytorch.utilities import rank_zero_only

from lit_infer import console
from lit_infer.artifacts.wandb_mode import wandb_mode
from lit_infer.errors import UsageError
from lit_trainer.tracking.uploads import Uploads, first_line, short

INIT_TIMEOUT_S = 10
FINISH_TIMEOUT_S = 60
UPLOAD_TIMEOUT_S = 600  # of one file; if the storage stops answering, nothing else ends the wait


class WandbLogger(loggers.WandbLogger):
    """`log_model="all"` logs every checkpoint as an artifact, with the aliases `latest` and `best`.

    Offline nothing is lost: the run and its artifacts are staged in `save_dir`, and `wandb sync` uploads them.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - LightningCLI makes an option of each
        self,
        project: str,
        name: str | None = None,
        log_model: Literal["all"] | bool = "all",
        checkpoint_name: str | None = None,
        save_dir: str = "artifacts/runs",
        config: dict[str, Any] | None = None,
        watch: Literal["gradients", "parameters", "all"] | None = None,
        watch_graph: bool = False,
        **kwargs: Any,
    ) -> None:
        mode = wandb_mode()
        if not mode.online:
            # Not WandbLogger(offline=True): that refuses log_model, although artifacts can be staged offline.
            os.environ["WANDB_MODE"] = "offline" if "disabled" not in mode.reason else "disabled"
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        # Our own lines say the same in fewer words.
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_FINISH_TIMEOUT", str(FINISH_TIMEOUT_S))  # without it the end can hang forever
        os.environ.setdefault("WANDB_FILE_PUSHER_TIMEOUT", str(UPLOAD_TIMEOUT_S))  # which does not end an upload
        Path(save_dir).mkdir(parents=True, exist_ok=True)
        super().__init__(
            project=project,
            name=name,
            log_model=log_model,
            checkpoint_name=checkpoint_name,
            save_dir=save_dir,
            config=config,
            **kwargs,
        )
        self._watch, self._watch_graph = watch, watch_graph
        self._wandb_init.pop("anonymous", None)  # wandb warns that it no longer means anything
        self._wandb_init.setdefault("settings", {"init_timeout": INIT_TIMEOUT_S, "finish_timeout_raises": True})
        rank_zero_only(console.note)(f"tracking: W&B {'online' if mode.online else 'offline'} ({mode.reason})")

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The wandb run. If the server does not answer, it becomes an offline run, with one line to say so."""
        from wandb.errors import AuthenticationError, CommError
        from wandb.errors import UsageError as WandbUsageError

        if self._experiment is not None:
            return self._experiment
        try:
            run = super().experiment
        except (AuthenticationError, WandbUsageError) as error:  # a wrong key, or none
            raise UsageError(f"W&B: {first_line(error)} Or train offline: WANDB_MODE=offline") from None
        except CommError as error:
            console.note(f"tracking: W&B does not answer ({first_line(error)}); the run continues offline")
            self._wandb_init["mode"] = "offline"  # wandb has read the environment already
            run = super().experiment
        Uploads(run)
        return run

    def begin(self, module: pl.LightningModule, monitored: dict[str, str]) -> None:
        """Before the first metric: summaries keep the best value of what is monitored, and the module is watched.

        `monitored`: metric name to `min` or `max`.
        """
        for metric, mode in monitored.items():
            self.experiment.define_metric(metric, summary=mode)
        if self._watch is not None:
            self.watch(module, log=self._watch, log_graph=self._watch_graph)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Log what is left, and say where the run is."""
        super().finalize(status)
        if self._experiment is None or not isinstance(self._experiment.dir, str):
            return
        if self._experiment.offline:
            folder = short(Path(self._experiment.dir).parent)
            console.note(f"tracking: upload this offline run with: wandb sync {folder}")
        elif self._experiment.url:
            console.note(f"tracking: {self._experiment.url}")


class SetUpWandb(pl.Callback):
    """Tell each WandbLogger what is monitored, once the Trainer knows."""

    @rank_zero_only
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Before the first metric is logged."""
        callbacks: list[Any] = trainer.checkpoint_callbacks
        monitored = {str(found.monitor): found.mode for found in callbacks if getattr(found, "monitor", None)}
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.begin(pl_module, monitored)
