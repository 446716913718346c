"""Checkpoints that other people's code made."""

import warnings
from collections.abc import Callable
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch

from tests.cases import modules

SPEC = """\
task: image-classification
preprocess:
  - resize: {size: 10}
  - center_crop: {size: 8}
normalize: {mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}
labels: [cat, dog, owl]
"""


@pytest.fixture(autouse=True)
def the_same_draws() -> None:
    """Weights and examples that a test draws are the same in each run."""
    torch.manual_seed(1)


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of genuine checkpoints, NAME.ckpt for each class of tests.cases.modules: small ones that once failed."""
    folder = tmp_path_factory.mktemp("cases")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's, of a module among the hyperparameters
        modules.main(folder)
    return folder


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def save(tmp_path: Path) -> Callable[[pl.LightningModule], Path]:
    """Save a module as Lightning does, without any of our facts."""

    def save_module(module: pl.LightningModule) -> Path:
        trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=tmp_path)
        trainer.strategy.connect(module)
        path = tmp_path / f"{type(module).__name__}.ckpt"
        trainer.save_checkpoint(path)
        assert torch.load(path, weights_only=True)["state_dict"]
        return path

    return save_module
