"""What all tests share: folders of their own, no account, and a real checkpoint of a real, short training."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import warm
from tests.support.shared import made_once

# Several processes share the cores: threads of torch's that wait for each other would spin and take the others' time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is imported and collected lives to the end: looking for garbage in it, at every epoch's end and export, is slow.
gc.disable()

# As Hypothesis itself has it in CI: the same examples in each run, and no deadline that a busy machine would break.
settings.register_profile(
    "tests",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # of a busy machine
)
settings.load_profile("tests")

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C is heard by what tests start, also where all this was started by a shell's `&`, which ignores it."""
    if not hasattr(config, "workerinput"):
        config.add_cleanup(warm.prepare())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: one that begins last would keep its process busy alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """From here on, only what the tests make is looked through for garbage."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """Extension modules want their objects back at the end."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own artifacts folder and no W&B account; what it starts inherits both."""
    for name in ("LIT_MODEL", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("LIT_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "wandb-data"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "wandb-cache"))
    return tmp_path / "artifacts"


@pytest.fixture(scope="session")
def digits_checkpoint(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A checkpoint of DigitsCNN after two epochs on the real digits, with its deployment facts."""
    return made_once(tmp_path_factory, worker_id, "training", _train_on_digits) / "digits.ckpt"


def _train_on_digits(folder: Path) -> None:
    import lightning.pytorch as pl
    from lightning.pytorch.callbacks import ModelCheckpoint

    from lit_trainer.callbacks import DeploymentFacts
    from lit_trainer.data import DigitsDataModule
    from lit_trainer.modules import DigitsCNN

    pl.seed_everything(1, verbose=False)
    checkpoint = ModelCheckpoint(folder, filename="digits", monitor="val_loss", mode="min")
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[checkpoint, DeploymentFacts()],
        default_root_dir=folder,
    )
    trainer.fit(DigitsCNN(width=8), datamodule=DigitsDataModule())


@pytest.fixture(scope="session")
def digit_images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The held-out digits as PNG files, one folder per class."""
    from lit_trainer.data.digits import write_test_images

    return write_test_images(tmp_path_factory.mktemp("digits"))


def run_command(line: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of the console scripts as a user would, and wait for it."""
    return subprocess.run(
        [BIN / line[0], *line[1:]],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
