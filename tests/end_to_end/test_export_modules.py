"""Every module of lit_trainer, from a checkpoint to graphs that answer as it does."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import nn

from lit_export import Options, export
from lit_infer import load
from lit_trainer import modules

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Case:
    """A module, how it is exported, inputs for it, and what of it answers them."""

    make: Callable[[], pl.LightningModule]
    options: dict[str, Any]
    inputs: Callable[[int], torch.Tensor]
    part: Callable[[Any], nn.Module] = lambda module: module


def images(*shape: int) -> Callable[[int], torch.Tensor]:
    return lambda batch: torch.randn(batch, *shape)


CASES = {
    "DigitsCNN": Case(lambda: modules.DigitsCNN(width=8), {"inputs": ("1x16x16",)}, images(1, 16, 16)),
    "ImageClassifier": Case(
        lambda: modules.ImageClassifier("mobilenet_v3_small", num_classes=4),
        {"inputs": ("3x64x64",), "dynamic": ("height", "width")},
        images(3, 96, 64),
    ),
    "CifarCNN": Case(modules.CifarCNN, {"inputs": ("3x32x32",)}, images(3, 32, 32)),
    "MnistMLP": Case(modules.MnistMLP, {"inputs": ("1x28x28",)}, images(1, 28, 28)),
    "AutoEncoder": Case(modules.AutoEncoder, {"inputs": ("1x28x28",)}, images(1, 28, 28)),
    "AutoEncoder's encoder": Case(
        modules.AutoEncoder,
        {"inputs": ("1x28x28",), "submodule": "encoder"},
        images(1, 28, 28),
        lambda module: module.encoder,
    ),
    "GAN's generator": Case(
        modules.GAN,
        {"inputs": ("100",), "submodule": "generator"},
        images(100),
        lambda module: module.generator,
    ),
    "SequenceTagger": Case(
        lambda: modules.SequenceTagger(vocabulary=20, num_tags=5),
        {"inputs": ("12:int64:0..19",), "dynamic": ("length=1",)},
        lambda batch: torch.randint(0, 20, (batch, 7)),
    ),
}


def trained_a_little(module: pl.LightningModule) -> pl.LightningModule:
    """Batch-norm statistics that are not those of a module just made: forgotten ones show."""
    generator = torch.Generator().manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.2, 0.2, generator=generator)  # type: ignore[union-attr]
            layer.running_var.uniform_(0.5, 1.5, generator=generator)  # type: ignore[union-attr]
    return module


@pytest.mark.parametrize("name", CASES)
def test_a_module_exports_from_its_checkpoint_and_answers_as_it_does(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    torch.manual_seed(0)
    module = trained_a_little(case.make())
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=tmp_path)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "net.ckpt")

    class_path = f"{type(module).__module__}.{type(module).__qualname__}"
    options = Options(class_path=class_path, **case.options)
    bundle = export(tmp_path / "net.ckpt", ["onnx", "torchscript"], out=tmp_path / "b", options=options)

    assert not bundle.failed, [graph.reason for graph in bundle.failed]
    part = case.part(module.eval())
    for batch in (1, 5):
        inputs = case.inputs(batch)
        with torch.no_grad():
            truth = part(inputs).numpy()
        for graph in bundle.attempted:
            model = load(tmp_path / "b" / str(graph.file))
            (answer,) = model.run({model.manifest.inputs[0].name: inputs.numpy()}).values()
            np.testing.assert_allclose(answer, truth, atol=1e-5 * max(1, np.abs(truth).max()), err_msg=graph.label)
