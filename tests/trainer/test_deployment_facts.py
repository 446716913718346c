"""lit_trainer.callbacks.deployment_facts: a checkpoint says how it wants to be deployed."""

from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch

from lit_infer import manifest
from lit_infer.errors import UsageError
from lit_trainer.callbacks import DeploymentFacts
from lit_trainer.callbacks.deployment_facts import git_commit
from lit_trainer.data import DigitsDataModule
from lit_trainer.modules import DigitsCNN


class Bare(DigitsDataModule):
    """A data module that says nothing of deployment."""

    deployment_facts = None  # type: ignore[assignment]


def fit(folder: Path, callback: DeploymentFacts, data: pl.LightningDataModule) -> pl.Trainer:
    trainer = pl.Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        max_steps=1,
        limit_val_batches=0,
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        callbacks=[callback],
    )
    trainer.fit(DigitsCNN(width=2), datamodule=data)
    return trainer


def test_the_record_loads_with_weights_only_and_is_the_data_modules(digits_checkpoint: Path) -> None:
    stored = torch.load(digits_checkpoint, weights_only=True)[manifest.CHECKPOINT_KEY]
    record = manifest.convert(stored, manifest.CheckpointRecord, where="test")
    facts = DigitsDataModule().deployment_facts
    assert record.deployment.preprocess == facts.preprocess
    assert record.deployment.normalize == facts.normalize
    assert record.deployment.class_path == "lit_trainer.modules.digits_cnn.DigitsCNN"
    assert record.git_commit == git_commit()


def test_facts_can_be_given_for_a_data_module_that_has_none(tmp_path: Path) -> None:
    facts = {"task": "image-classification", "preprocess": [{"resize": {"size": [16, 16]}}], "labels": list("abc")}
    trainer = fit(tmp_path, DeploymentFacts(facts=facts), Bare())
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    stored = torch.load(tmp_path / "x.ckpt", weights_only=True)[manifest.CHECKPOINT_KEY]
    assert tuple(stored["deployment"]["labels"]) == ("a", "b", "c")


def test_no_facts_is_an_error_before_training_not_after(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no facts"):
        fit(tmp_path, DeploymentFacts(), Bare())


def test_wrong_facts_are_refused_when_given() -> None:
    with pytest.raises(UsageError, match="tusk"):
        DeploymentFacts(facts={"task": "tensor", "tusk": 1})
