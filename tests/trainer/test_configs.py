"""Every ready configuration runs: one batch of each loop, in this process, over small data in the real formats."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lit_infer import manifest
from lit_infer.folder import list_images
from lit_trainer.lightning_cli import TrainCLI
from tests.conftest import ROOT
from tests.trainer.on_disk import write_cifar10, write_mnist, write_photos

CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))
TASKS = {
    **dict.fromkeys(("cifar10", "digits", "folder", "mnist"), "image-classification"),
    "digits-multilabel": "image-multilabel",
    "digits-regression": "image-regression",
    "detection": "object-detection",
    "instances": "instance-segmentation",
    "keypoints": "keypoint-detection",
    "anomaly": "anomaly-detection",
    "denoising": "image-to-image",
    "segmentation": "image-segmentation",
    "tables-breast-cancer": "tabular-classification",
    "tables-diabetes": "tabular-regression",
    "texts": "text-classification",
}
ON_DISK = {"autoencoder", "cifar10", "folder", "gan", "mnist"}

INPUTS = {"autoencoder": ["--input", "1x28x28"], "gan": ["--input", "100"], "sequence": ["--input", "64:int64:0..3"]}
INPUTS["texts"] = ["--tokenizer", "data/docstrings"]
"""What the command at the end adds where no facts are recorded, and a file that an export needs."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, with all data sets below data/."""
    write_cifar10(tmp_path / "data", monkeypatch)
    write_mnist(tmp_path / "data")
    for split in ("train", "val", "test"):
        write_photos(tmp_path / "data" / "photos" / split, cat=3, dog=3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    return tmp_path


def arguments(name: str, stage: str, *more: str) -> list[str]:
    line = [stage, "--config", str(ROOT / f"configs/{name}.yaml"), "--trainer.accelerator", "cpu"]
    line += ["--trainer.enable_model_summary", "false", "--data.num_workers", "0"]
    if name == "folder":
        line += ["--data.image_size", "64", "--data.resize", "72", "--data.predict_root", "data/photos/test"]
    return [*line, *more]


def test_all_that_were_promised_are_there() -> None:
    assert CONFIGS == [
        "anomaly",
        "autoencoder",
        "cifar10",
        "denoising",
        "detection",
        "digits",
        "digits-multilabel",
        "digits-regression",
        "folder",
        "gan",
        "instances",
        "keypoints",
        "mnist",
        "segmentation",
        "sequence",
        "tables-breast-cancer",
        "tables-diabetes",
        "texts",
    ]


@pytest.mark.parametrize("name", CONFIGS)
def test_each_names_its_checkpoints_alike_in_both_registries(name: str) -> None:
    config = yaml.safe_load((ROOT / f"configs/{name}.yaml").read_text())
    wandb, folder = (logger["init_args"] for logger in config["trainer"]["logger"])
    assert wandb["project"] == folder["project"] == name.partition("-")[0]
    assert wandb["checkpoint_name"] == folder["model"]
    assert isinstance(config["seed_everything"], int)
    callbacks = [callback["class_path"].rpartition(".")[2] for callback in config["trainer"]["callbacks"]]
    assert ("DeploymentFacts" in callbacks) == (name in TASKS)
    checkpoint = config["trainer"]["callbacks"][callbacks.index("ModelCheckpoint")]["init_args"]
    assert checkpoint["monitor"].startswith("val_")
    assert checkpoint["save_last"] is True


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_each_runs_with_fast_dev_run(name: str, here: Path) -> None:
    root = ["--data.root", "data/photos" if name == "folder" else "data"] if name in ON_DISK else []
    for stage in ("fit", "test", "predict"):
        TrainCLI.run(arguments(name, stage, "--trainer.fast_dev_run", "true", *root))
    if name == "folder":
        rows = [json.loads(line) for line in Path("predictions.jsonl").read_text().splitlines()]
        assert [row["path"] for row in rows] == [path.as_posix() for path in list_images([Path("data/photos/test")])]
        assert {row["error"] for row in rows} == {None}


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_each_finds_what_it_monitors_and_leaves_a_safe_checkpoint(name: str, here: Path) -> None:
    short = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "2"]
    short += ["--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", ".", "--trainer.log_every_n_steps", "1"]
    cli: Any = TrainCLI.run(arguments(name, "fit", *short))
    best = cli.trainer.checkpoint_callback.best_model_path
    assert os.path.isfile(best)
    checkpoint = torch.load(best, weights_only=True)
    record = manifest.convert(checkpoint[manifest.CHECKPOINT_KEY], manifest.CheckpointRecord, where=name)
    assert record.deployment.task == TASKS.get(name, "tensor")
    assert record.batch
    assert record.inputs
    _, _, inputs = cli.ending().partition(f"next: lit-export onnx --checkpoint {best}")
    assert inputs.split() == INPUTS.get(name, [])
