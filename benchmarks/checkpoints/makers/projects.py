"""Two projects trained by their own commands: the template with Hydra, and one with LightningCLI."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from record import FOLDER, answers_of, record

HERE = Path(__file__).resolve().parent.parent


def run(name: str, *command: str, **environment: str) -> Path:
    """Copy a project to the work folder, run its command there, and return where it is."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / name, folder)
    subprocess.run(
        [sys.executable, *command], cwd=folder, check=True, env=os.environ | environment, capture_output=True
    )
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()  # PYTHONPATH named the folder before it was there
    return folder


def hydra_template() -> None:
    root = FOLDER / "hydra_template"
    folder = run("hydra_template", "src/train.py", PROJECT_ROOT=str(root), PYTHONPATH=str(root))
    path = next(folder.glob("logs/train/runs/one/checkpoints/epoch_*.ckpt"))
    from src.data.digits_datamodule import DigitsDataModule
    from src.models.digits_module import DigitsLitModule

    data: Any = DigitsDataModule()
    data.setup()
    loader = iter(data.val_dataloader())
    proof, held = ({"x": next(loader)[0]} for _ in range(2))
    loaded = DigitsLitModule.load_from_checkpoint(path, weights_only=False)
    record("hydra-template", "hydra-core", path, proof=proof, held=held, answers=answers_of(loaded, **held))


def cli_project() -> None:
    folder = run("cli_project", "main.py", "fit", "--config", "config.yaml")
    path = next(folder.glob("lightning_logs/version_0/checkpoints/*.ckpt"))
    import blobs

    module = blobs.Classifier(blobs.Encoder(width=16, activation=torch.nn.GELU()), classes=3, temperature=2.5)
    module.load_state_dict(torch.load(path, weights_only=False)["state_dict"])
    proof, held = {"x": torch.randn(32, 12)}, {"x": torch.randn(5, 12)}
    record("lightningcli", "lightning", path, proof=proof, held=held, answers=answers_of(module, **held))


hydra_template()
cli_project()
