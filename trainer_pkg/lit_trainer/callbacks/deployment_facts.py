"""Make a checkpoint say how it wants to be deployed."""

import subprocess
from typing import Any

import lightning.pytorch as pl
import msgspec

from lit_infer import manifest
from lit_infer.errors import UsageError


class DeploymentFacts(pl.Callback):
    """Stores class path, task, preprocess, normalize, labels, the run and the git commit in every checkpoint.

    The facts come from the data module's `deployment_facts`, or are given here by a data module's user:
    `DeploymentFacts(facts={"task": "image-classification", "preprocess": [...], ...})`, the fields of a spec file.
    They are plain data, so the checkpoint still loads with `weights_only=True`.
    """

    def __init__(self, facts: dict[str, Any] | None = None) -> None:
        self._given = manifest.convert(facts, manifest.DeploymentFacts, where="DeploymentFacts") if facts else None
        self._git_commit: str | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Fail before training rather than after it if there are no facts."""
        if stage == "fit":
            _facts(self._given, trainer, pl_module)
            self._git_commit = git_commit()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the record."""
        record = manifest.CheckpointRecord(
            deployment=_facts(self._given, trainer, pl_module),
            run=_run(trainer),
            git_commit=self._git_commit,
        )
        checkpoint[manifest.CHECKPOINT_KEY] = msgspec.to_builtins(record)


def _facts(
    given: manifest.DeploymentFacts | None, trainer: pl.Trainer, module: pl.LightningModule
) -> manifest.DeploymentFacts:
    data: Any = getattr(trainer, "datamodule", None)
    # Not getattr with a default, which would hide an AttributeError inside the property.
    facts = given or (data.deployment_facts if hasattr(type(data), "deployment_facts") else None)
    if facts is None:
        raise UsageError(
            "DeploymentFacts knows no facts: give the data module a `deployment_facts` property "
            "(see lit_trainer.data.deployment.facts_from_transform), or pass DeploymentFacts(facts={...})"
        )
    cls = type(module)
    return msgspec.structs.replace(facts, class_path=f"{cls.__module__}.{cls.__qualname__}")


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
