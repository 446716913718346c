"""What trainings leave beside their checkpoints: the configurations of LightningCLI and of Hydra."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.cli import LightningCLI

from tests.export import ways

NET = {"class_path": "tests.export.ways.Net", "init_args": {"width": 4, "act": {"class_path": "torch.nn.GELU"}}}
ARGUMENTS = {"net": NET, "scale": 5.0, "mode": "TWICE"}
HYDRA = """\
scale: 5.0
paths: {root: "${oc.env:PROJECT_ROOT}", data: "${paths.root}/data", out: "${hydra:runtime.output_dir}"}
model:
  _target_: tests.export.ways.Composed
  scale: ${scale}
  net: {_target_: tests.export.ways.Net, width: 4, act: {_target_: torch.nn.GELU}}
  optimizer: {_target_: torch.optim.SGD, _partial_: true, lr: 0.1}
data:
  _target_: tests.export.ways.Data
  folder: ${paths.data}
"""


class LinkedCLI(LightningCLI):
    """The number of classes comes from the data, as in most projects."""

    def add_arguments_to_parser(self, parser: Any) -> None:
        key = "model.init_args.classes" if self.subclass_mode_model else "model.classes"
        parser.link_arguments("data.classes", key, apply_on="instantiate")


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], LightningCLI]:
    """A training by LightningCLI, which leaves config.yaml and last.ckpt in tmp_path. True: it chose the class."""

    def train(subclasses: bool) -> LightningCLI:
        monkeypatch.setattr(sys, "argv", ["train"])
        described = {"class_path": "tests.export.ways.Composed", "init_args": ARGUMENTS} if subclasses else ARGUMENTS
        cli = LinkedCLI(
            ways.Composed,
            ways.Data,
            run=False,
            seed_everything_default=0,
            args={"model": described, "data": {}},
            subclass_mode_model=subclasses,
            trainer_defaults={"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "max_steps": 0},
        )
        cli.parser.save(cli.config, str(tmp_path / "config.yaml"), skip_none=False)
        cli.trainer.strategy.connect(cli.model)
        cli.trainer.save_checkpoint(tmp_path / "last.ckpt")
        return cli

    return train


@pytest.fixture
def hydra_config(tmp_path: Path) -> Path:
    """`.hydra/config.yaml` as Hydra leaves it, with hydra.yaml beside it, and a checkpoint of the run."""
    folder = tmp_path / "run/.hydra"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(HYDRA)
    (folder / "hydra.yaml").write_text("hydra: {runtime: {output_dir: /runs/1}}")
    (tmp_path / "run/checkpoints").mkdir()
    torch.save({"state_dict": {}}, tmp_path / "run/checkpoints/last.ckpt")
    return folder / "config.yaml"
