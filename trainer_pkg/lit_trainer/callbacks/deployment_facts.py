"""Record in a checkpoint what it is and how to deploy it."""

import subprocess
from typing import Any

import lightning.pytorch as pl
import msgspec

from lit_infer import manifest
from lit_infer.errors import UsageError
from lit_infer.tasks import tensor
from lit_trainer.callbacks.seen_batch import SeenBatch


class CheckpointRecord(SeenBatch):
    """Stores the class path, what a validation batch holds, the run and the git commit in every checkpoint.

    They are plain data, so the checkpoint still loads with `weights_only=True`. lit-train adds this callback to every
    run; it leaves the record to a `DeploymentFacts` beside it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._git_commit: str | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Look up what does not change during a run."""
        if stage == "fit":
            self._git_commit = git_commit()

    def facts(self, trainer: pl.Trainer) -> manifest.DeploymentFacts:
        """A bare graph of tensors: what the module makes of a data module's images is not known."""
        return manifest.DeploymentFacts(task=tensor.TASK.name)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the record."""
        if recorder(trainer) is not self:
            return
        record = manifest.CheckpointRecord(
            deployment=msgspec.structs.replace(self.facts(trainer), class_path=class_path(pl_module, separator=".")),
            run=_run(trainer),
            git_commit=self._git_commit,
            batch=self.batch,
            inputs=self.inputs,
        )
        checkpoint[manifest.CHECKPOINT_KEY] = msgspec.to_builtins(record)


class DeploymentFacts(CheckpointRecord):
    """As `CheckpointRecord`, and task, preprocess, normalize and labels.

    They come from the data module's `deployment_facts`, or are given here by a data module's user:
    `DeploymentFacts(facts={"task": "image-classification", "preprocess": [...], ...})`, the fields of a spec file.
    """

    def __init__(self, facts: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._given = manifest.convert(facts, manifest.DeploymentFacts, where="DeploymentFacts") if facts else None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Fail before training rather than after it if there are no facts."""
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            self.facts(trainer)

    def facts(self, trainer: pl.Trainer) -> manifest.DeploymentFacts:
        """Those that were given, or the data module's."""
        data: Any = getattr(trainer, "datamodule", None)
        # Not getattr with a default, which would hide an AttributeError inside the property.
        facts = self._given or (data.deployment_facts if hasattr(type(data), "deployment_facts") else None)
        if facts is None:
            raise UsageError(
                "DeploymentFacts has no facts: give the data module a `deployment_facts` property "
                "(see lit_trainer.data.deployment.facts_from_transform), or pass DeploymentFacts(facts={...})"
            )
        found: manifest.DeploymentFacts = facts
        return found


def recorder(trainer: pl.Trainer) -> CheckpointRecord | None:
    """The callback that writes the record: one with facts goes first."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    found = [callback for callback in callbacks if isinstance(callback, CheckpointRecord)]
    return next((callback for callback in found if isinstance(callback, DeploymentFacts)), next(iter(found), None))


def class_path(module: pl.LightningModule, *, separator: str) -> str:
    """The path of the module's class."""
    return f"{type(module).__module__}{separator}{type(module).__qualname__}"


def _run(trainer: pl.Trainer) -> str | None:
    """`project/id` of the first logger that names its runs."""
    for logger in trainer.loggers:
        if logger.name and logger.version is not None:
            return f"{logger.name}/{logger.version}"
    return None


def git_commit() -> str | None:
    """The commit that is checked out where training was started, or None outside a repository."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 else None
