"""LightningCLI as this project uses it."""

import difflib
import logging
import os
import re
import shlex
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import BatchSizeFinder, LearningRateFinder
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from lit_infer import artifacts, console
from lit_infer.errors import ArtifactError, UsageError
from lit_trainer.callbacks.deployment_facts import CheckpointRecord, recorder
from lit_trainer.callbacks.interrupt import ResumeAfterInterrupt, run_folder
from lit_trainer.checkpoints import local_checkpoint
from lit_trainer.next_command import export_line
from lit_trainer.prediction_rows import PredictionRows, identity
from lit_trainer.tracking import FolderRegistryLogger
from lit_trainer.tracking.wandb import SetUpWandb


class RunConfig(SaveConfigCallback):
    """Save the run's whole configuration beside its checkpoints, so that it can be repeated."""

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write `config.yaml` into the run's folder."""
        del pl_module
        if stage != "fit" or trainer.logger is None:
            return
        folder = run_folder(trainer)
        folder.mkdir(parents=True, exist_ok=True)
        self.parser.save(self.config, folder / "config.yaml", skip_none=False, overwrite=True)


class Parser(LightningArgumentParser):
    """Reports what is wrong and what was probably meant, without sixty lines of usage before it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """A user's mistake."""
        del ex
        raise UsageError(_shortened(message) or self._with_nearest(message))

    def _with_nearest(self, message: str) -> str:
        typed = re.search(r"unrecognized arguments: --([\w.]+)|[Oo]ption '([\w.]+)'|Key '([\w.]+)'", message)
        parsers = [self, *(getattr(self._subcommands_action, "choices", None) or {}).values()]
        known = {name.lstrip("-") for parser in parsers for action in parser._actions for name in action.option_strings}
        wrong = next((group for group in typed.groups() if group), "") if typed else ""
        near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.6)
        if near:
            return f"no option {wrong!r}; did you mean {near[0]!r}?"
        return f"{message}\nAll options: {self.prog.replace(' [options]', '')} --help"


def _shortened(message: str) -> str | None:
    """The one line that an inner parser found, out of jsonargparse's account of every type that was tried."""
    found = re.search(r"no option '.*'; did you mean '.*'\?", message)
    return found[0] if found else None


class TrainCLI(LightningCLI):
    """`--ckpt_path` takes references and URLs; hparams stay plain; no unsafe loading; Ctrl-C can be resumed."""

    @classmethod
    def run(cls, arguments: list[str]) -> "TrainCLI":
        """Parse and run a subcommand. Exits 130 after an interruption, saying how to resume."""
        _quieten()
        if os.getcwd() not in sys.path:  # a console script does not look there, and lit-export does
            sys.path.insert(0, os.getcwd())
        interrupt = ResumeAfterInterrupt()
        try:
            return cls(
                args=arguments,
                save_config_callback=RunConfig,
                save_config_kwargs={"save_to_log_dir": False},
                # Otherwise hparams carry an `_instantiator` that export would have to trust.
                load_from_checkpoint_support=False,
                trainer_defaults={"callbacks": [interrupt, SetUpWandb(), CheckpointRecord()]},
                parser_class=Parser,
                parser_kwargs={"prog": "lit-train"},
            )
        except SystemExit:
            if interrupt.saved is None:
                raise
            resume = shlex.join(["lit-train", *_without_checkpoint(arguments), "--ckpt_path", str(interrupt.saved)])
            console.note(f"interrupted; resume with: {resume}")
            sys.exit(130)

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """As LightningCLI, with local paths for references and URLs, and without its warning about sys.argv."""
        self.config = parser.parse_args(_with_local_checkpoint(args))
        self.checkpoint_name = _checkpoint_name(args)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what the Trainer has no flag for."""
        parser.add_argument("--compile", type=bool, default=False, help="Wrap the module with torch.compile.")
        parser.add_argument(
            "--find_batch_size", type=bool, default=False, help="Before fit, find the largest batch that fits."
        )
        parser.add_argument(
            "--find_learning_rate", type=bool, default=False, help="Before fit, find a learning rate by a range test."
        )

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        """Lightning loads a resumed checkpoint with `weights_only=False` unless asked not to."""
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        parser.set_defaults(weights_only=True)
        return parser

    def _parse_ckpt_path(self) -> None:
        """Let the checkpoint's hparams override the configuration's, for the class that the configuration names.

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

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Add the callbacks that flags stand for."""
        trainer = super().instantiate_trainer(**kwargs)
        if self._get(self.config_init, "find_batch_size"):
            trainer.callbacks.append(BatchSizeFinder())  # type: ignore[attr-defined]
        if self._get(self.config_init, "find_learning_rate"):
            trainer.callbacks.append(LearningRateFinder())  # type: ignore[attr-defined]
        return trainer

    def after_instantiate_classes(self) -> None:
        """Compile in place: the checkpoint's keys stay those of the plain module, so it loads without compile."""
        if self._get(self.config_init, "compile"):
            self.model.compile()

    def before_predict(self) -> None:
        """If the data module knows its files, write the rows that lit-infer would write."""
        model = identity(self._get(self.config_init, "ckpt_path"), name=self.checkpoint_name)
        self.trainer.callbacks.append(PredictionRows(model=model))  # type: ignore[attr-defined]

    def ending(self) -> str:
        """What was made, and the next command."""
        if self.subcommand != "fit":
            return f"{self.subcommand}: done"
        for logger in self.trainer.loggers:
            if isinstance(logger, FolderRegistryLogger) and logger.best is not None:
                return f"best checkpoint: {logger.best}\n{self._export_line('--artifact', str(logger.best))}"
        path = getattr(self.trainer.checkpoint_callback, "best_model_path", "")
        return f"best checkpoint: {path}\n{self._export_line('--checkpoint', path)}" if path else "fit: done"

    def _export_line(self, *source: str) -> str:
        model = self.config[self.subcommand].model
        record = recorder(self.trainer)
        assert record is not None  # noqa: S101 - `run` adds one
        init_args = model.as_dict().get("init_args") or {}
        return export_line(source, self.model, record, init_args=init_args)


def _with_local_checkpoint(arguments: list[str]) -> list[str]:
    """Replace a reference or URL after --ckpt_path by the path of its file."""
    found = list(arguments)
    for index, argument in enumerate(arguments):
        if argument == "--ckpt_path" and index + 1 < len(arguments):
            found[index + 1] = _local(arguments[index + 1])
        elif argument.startswith("--ckpt_path="):
            found[index] = f"--ckpt_path={_local(argument.partition('=')[2])}"
    return found


def _checkpoint_name(arguments: list[str]) -> str | None:
    """What a bundle of the checkpoint would be called: the reference's name, or the file's; None without one."""
    for index, argument in enumerate(arguments):
        if argument.startswith("--ckpt_path"):
            given = argument.partition("=")[2] or next(iter(arguments[index + 1 :]), "")
            is_path = Path(given).exists() or not artifacts.looks_like_reference(given)
            return Path(given).stem if is_path else artifacts.parse(given).name
    return None


def _local(checkpoint: str) -> str:
    path = local_checkpoint(checkpoint)
    if path is None:
        return checkpoint
    console.note(f"checkpoint: {checkpoint}")
    return str(path)


def _without_checkpoint(arguments: list[str]) -> list[str]:
    """The arguments without --ckpt_path, which resuming adds again."""
    kept = [argument for argument in arguments if not argument.startswith("--ckpt_path=")]
    if "--ckpt_path" in kept:
        index = kept.index("--ckpt_path")
        del kept[index : index + 2]
    return kept


def _checkpoint(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on bytes that are not a checkpoint, torch's reader may fail in any way
        first_line = str(error).strip().partition("\n")[0]
        raise ArtifactError(f"{path} is not a checkpoint that can be read safely: {first_line or error!r}") from None
    return found


def _quieten() -> None:
    """Hide what a user can do nothing about; warnings about the user's own code stay."""
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message="The dirpath has changed from.*")
    warnings.filterwarnings("ignore", message=".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*")
