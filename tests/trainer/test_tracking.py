"""lit_trainer.tracking: checkpoints in the folder registry, runs in W&B, offline where there is no account."""

import socket
import subprocess
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_infer import artifacts
from lit_trainer.callbacks import DeploymentFacts
from lit_trainer.data import DigitsDataModule
from lit_trainer.modules import DigitsCNN
from lit_trainer.tracking import LOGGERS, FolderRegistryLogger
from lit_trainer.tracking.uploads import how_to_send
from tests.support.warm import run_warm, run_warm_in
from tests.wandb_double.fixture import environment, wandb_server
from tests.wandb_double.server import Double

__all__ = ["wandb_server"]


def test_best_and_latest_are_the_checkpoints_with_their_scores(tmp_path: Path) -> None:
    pl.seed_everything(2, verbose=False)
    logger = FolderRegistryLogger("digits", "net")
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=3,
        log_every_n_steps=5,
        default_root_dir=tmp_path,
        logger=logger,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ModelCheckpoint(tmp_path / "c", monitor="val_loss", mode="min", save_last=True), DeploymentFacts()],
    )
    trainer.fit(DigitsCNN(width=4), datamodule=DigitsDataModule())

    registry = artifacts.registry()
    best = registry.resolve(artifacts.parse("local/digits/net:best"))
    assert logger.best == artifacts.parse("local/digits/net:best")
    checkpoint: ModelCheckpoint = trainer.checkpoint_callback  # type: ignore[assignment]
    assert best.metadata["score"] == pytest.approx(float(checkpoint.best_model_score or 0))
    assert best.metadata["monitor"] == "val_loss"
    kept = registry.fetch(best.reference) / "model.ckpt"
    assert kept.read_bytes() == Path(checkpoint.best_model_path).read_bytes()
    assert "latest" in {alias for version in registry.versions(best.reference) for alias in version.aliases}

    Path(checkpoint.best_model_path).write_bytes(b"overwritten by the next training")
    assert torch.load(registry.fetch(best.reference) / "model.ckpt", weights_only=True)["state_dict"]


OFFLINE = """
import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint
from lit_trainer.callbacks import DeploymentFacts
from lit_trainer.data import DigitsDataModule
from lit_trainer.modules import DigitsCNN
from lit_trainer.tracking import WandbLogger

logger = WandbLogger("digits", checkpoint_name="net")
trainer = pl.Trainer(accelerator="cpu", max_epochs=1, logger=logger, enable_progress_bar=False,
                     callbacks=[ModelCheckpoint(monitor="val_loss"), DeploymentFacts()])
trainer.fit(DigitsCNN(width=2), datamodule=DigitsDataModule())
print("RUN", logger.name, logger.version)
"""


@pytest.mark.slow
def test_without_an_account_the_run_is_offline_says_so_and_stages_its_artifact(tmp_path: Path) -> None:
    done = run_warm(["python", "-c", OFFLINE], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tracking: W&B offline (no W&B account was found" in done.stderr
    run = next((tmp_path / "artifacts" / "runs" / "wandb").glob("offline-run-*"))
    assert f"wandb sync artifacts/runs/wandb/{run.name}" in done.stderr
    assert list(run.glob("*.wandb"))
    staged = [path for path in (tmp_path / "wandb-data").rglob("*") if path.is_file()]
    assert any(path.stat().st_size > 5_000 for path in staged), "the checkpoint is not staged for wandb sync"

    checkpoint = next((tmp_path / "artifacts" / "runs").rglob("*.ckpt"))
    record = torch.load(checkpoint, weights_only=True)["lit_deploy"]
    project, name = done.stdout.split("RUN ")[1].split()
    assert record["run"] == f"{project}/{name}"


@pytest.mark.slow
def test_a_server_that_does_not_answer_neither_kills_training_nor_hangs_its_end(tmp_path: Path) -> None:
    with socket.socket() as silent:  # listens, accepts and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = run_warm(["python", "-c", OFFLINE], tmp_path, WANDB_BASE_URL=url, WANDB_API_KEY="0" * 40)
    assert done.returncode == 0, done.stderr
    assert "tracking: W&B does not answer" in done.stderr
    assert "RUN digits" in done.stdout
    assert list((tmp_path / "artifacts" / "runs").rglob("*.ckpt"))
    assert list((tmp_path / "artifacts/runs/wandb").glob("offline-run-*"))


BEST = """
import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint
from lit_trainer.data import DigitsDataModule
from lit_trainer.modules import DigitsCNN
from lit_trainer.tracking import WandbLogger
from lit_trainer.tracking.wandb import SetUpWandb

class Seen(pl.Callback):
    values = []
    def on_validation_epoch_end(self, trainer, module):
        if not trainer.sanity_checking:
            self.values.append(float(trainer.callback_metrics["val_acc"]))

logger = WandbLogger("digits", log_model=False, watch="gradients", config={"note": "mine"})
trainer = pl.Trainer(accelerator="cpu", max_epochs=2, limit_train_batches=55, logger=logger, enable_progress_bar=False,
                     callbacks=[ModelCheckpoint(monitor="val_acc", mode="max"), SetUpWandb(), Seen()])
trainer.fit(DigitsCNN(width=2, learning_rate=0.1), datamodule=DigitsDataModule(batch_size=8))
run = logger.experiment
best = run.summary["val_acc"]["max"]
assert abs(best - max(Seen.values)) < 1e-6, (best, Seen.values)
assert run.config["note"] == "mine"
print("GRADIENTS", any(name.startswith("gradients/") for name in run.summary.keys()))
"""


@pytest.mark.slow
def test_the_summary_keeps_the_best_value_and_the_module_is_watched(tmp_path: Path) -> None:
    done = run_warm(["python", "-c", BEST], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "GRADIENTS True" in done.stdout


UPLOAD = """
import pathlib, wandb
from lit_trainer.tracking import WandbLogger
pathlib.Path("model.ckpt").write_bytes(b"weights" * 10_000)
logger = WandbLogger("digits", checkpoint_name="net")
artifact = wandb.Artifact("net", type="model")
artifact.add_file("model.ckpt")
logger.experiment.log_artifact(artifact, aliases=["best"])
print("URL", logger.experiment.url)
"""


def uploaded(double: Double, folder: Path) -> subprocess.CompletedProcess[str]:
    variables = environment(double, folder / "step", WANDB_FINISH_TIMEOUT="2")
    return run_warm_in(variables, ["python", "-c", UPLOAD], folder)


@pytest.mark.slow
def test_an_upload_that_stalls_is_said_at_the_end_with_what_to_do(wandb_server: Double, tmp_path: Path) -> None:
    wandb_server.fault("PUT storage", "stall")
    done = uploaded(wandb_server, tmp_path)
    assert done.returncode == 0, done.stderr
    hint = "Log it again: wandb artifact put --type model --name user/digits/net model.ckpt"
    assert f"tracking: W&B does not have user/digits/net: not finished within 2 s. {hint}" in done.stderr
    assert wandb_server.state.collection("user/digits/net").versions == []


def test_a_checkpoint_that_did_not_arrive_is_pushed_from_the_folder_registry(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/model.ckpt").write_bytes(b"weights")
    best = artifacts.parse("local/digits/net:best")
    artifacts.folder_registry().publish(tmp_path / "kept", best, type="model", aliases=["best"])
    hint = "Send the best with: lit-registry push local/digits/net:v0 --to user/digits --alias best"
    assert how_to_send("user", "digits", "net") == hint


@pytest.mark.slow
def test_an_upload_that_arrives_is_complete_when_the_process_ends(wandb_server: Double, tmp_path: Path) -> None:
    done = uploaded(wandb_server, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "does not have" not in done.stderr
    assert set(wandb_server.state.collection("user/digits/net").aliases) == {"best", "latest"}
    (run,) = wandb_server.state.projects["user", "digits"].runs.values()
    assert f"{wandb_server.url}/user/digits/runs/{run.name}" in done.stdout
    assert run.streamed[-1]["exitcode"] == 0


def test_there_is_a_logger_for_each_registry() -> None:
    assert LOGGERS.keys() == artifacts.PROVIDERS.keys()
