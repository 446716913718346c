"""LightningCLI as this project uses it."""

import logging
import pickle
import warnings
from pathlib import Path
from typing import Any, NoReturn

import lightning.pytorch as pl
import torch
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from lit_infer import artifacts, console
from lit_infer.errors import ArtifactError, UsageError
from lit_trainer.tracking import FolderRegistryLogger
from lit_trainer.tracking.folder_registry import CHECKPOINT_FILE


class RunConfig(SaveConfigCallback):
    """Save the run's whole configuration beside its checkpoints, so that it can be repeated."""

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write `<save_dir>/<project>/<run>/config.yaml`; another stage of the same run writes its own."""
        del pl_module
        logger = trainer.logger
        if logger is None or logger.save_dir is None or stage != "fit":
            return
        folder = Path(logger.save_dir, str(logger.name), str(logger.version))
        folder.mkdir(parents=True, exist_ok=True)
        self.parser.save(self.config, folder / "config.yaml", skip_none=False, overwrite=True)


class Parser(LightningArgumentParser):
    """Says what is wrong, and not sixty lines of usage before it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """A user's mistake."""
        del ex
        raise UsageError(f"{message}\nAll options: {self.prog.replace(' [options]', '')} --help")


class TrainCLI(LightningCLI):
    """`--ckpt_path` takes a reference; hparams stay plain; no unsafe loading."""

    @classmethod
    def run(cls, arguments: list[str]) -> "TrainCLI":
        """Parse and run a subcommand."""
        _quieten()
        return cls(
            args=_with_fetched_checkpoint(arguments),
            save_config_callback=RunConfig,
            save_config_kwargs={"save_to_log_dir": False},
            # Otherwise hparams carry an `_instantiator` that export would have to trust.
            load_from_checkpoint_support=False,
            parser_class=Parser,
            parser_kwargs={"prog": "lit-train"},
        )

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """As LightningCLI, less its warning about sys.argv: `args` is sys.argv with paths for references."""
        self.config = parser.parse_args(args)

    def _parse_ckpt_path(self) -> None:
        """Let the checkpoint's hparams win over the configuration's, for the class that the configuration names.

        LightningCLI's own version needs the `_class_path` that this project keeps out of its checkpoints.
        """
        config = self.config[self.config.subcommand]
        path, model = config.get("ckpt_path"), config.get("model")
        if not path or not Path(path).is_file() or not model:
            return
        hparams = _checkpoint(Path(path)).get("hyper_parameters")
        if hparams:
            found = {"model": {"class_path": model["class_path"], "init_args": dict(hparams)}}
            self.config = self.parser.parse_object({self.config.subcommand: found}, self.config)

    def ending(self) -> str:
        """What was made, and the next command."""
        if self.subcommand != "fit":
            return f"{self.subcommand}: done"
        for logger in self.trainer.loggers:
            if isinstance(logger, FolderRegistryLogger) and logger.best is not None:
                return f"best checkpoint: {logger.best}\nnext: lit-export onnx --artifact {logger.best}"
        callback = self.trainer.checkpoint_callback
        path = getattr(callback, "best_model_path", "")
        return f"best checkpoint: {path}\nnext: lit-export onnx --checkpoint {path}" if path else "fit: done"


def _with_fetched_checkpoint(arguments: list[str]) -> list[str]:
    """Replace a reference after --ckpt_path by the path of the verified file that it means."""
    found = list(arguments)
    for place, argument in enumerate(found):
        flag, equals, value = argument.partition("=")
        if flag != "--ckpt_path":
            continue
        at = place if equals else place + 1
        value = value or (found[at] if at < len(found) else "")
        if artifacts.looks_like_reference(value) and not Path(value).exists():
            path = artifacts.registry().fetch(artifacts.parse(value)) / CHECKPOINT_FILE
            found[at] = f"{flag}={path}" if equals else str(path)
            console.note(f"checkpoint: {value}")
    return found


def _checkpoint(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ArtifactError(f"{path} is not a checkpoint that can be read safely: {_first_line(error)}") from None
    return found


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _quieten() -> None:
    """Leave out what a user can do nothing about; warnings about the user's own code stay."""
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message="The dirpath has changed from.*")
    warnings.filterwarnings("ignore", message=".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*")
