"""What a writer is given, for a small module of two inputs and two outputs."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export.formats.job import WriteJob, Written
from lit_export.options import Options
from lit_export.tasks import Target
from lit_infer import manifest
from lit_infer.engines import engine_for_file
from lit_infer.manifest import DeploymentFacts, Precision, Quantization
from tests.inference.tiny import described

INPUTS = (
    manifest.Tensor(name="left", dtype="float32", shape=("batch", 4)),
    manifest.Tensor(name="right", dtype="float32", shape=("batch", 4)),
)
OUTPUTS = (
    manifest.Tensor(name="mixed", dtype="float32", shape=("batch", 3)),
    manifest.Tensor(name="total", dtype="float32", shape=("batch", 4)),
)
FACTS = described(task="tensor", inputs=INPUTS, outputs=OUTPUTS, preprocess=(), labels=None)


class Mixing(nn.Module):
    """A linear layer of one input and the sum of both."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.module = nn.Linear(4, 3)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        left, right = tensors
        return self.module(left), left.float() + right


def rows(count: int, seed: int = 0) -> tuple[NDArray[np.float32], ...]:
    """Inputs for a batch."""
    generator = np.random.default_rng(seed)
    return tuple(generator.normal(size=(count, 4)).astype(np.float32) for _ in INPUTS)


def make_job(*, precision: Precision = "fp32", opset: int = 20, onnx: Path | None = None) -> WriteJob:
    """A job for `Mixing`; `onnx`: the proven file that others are made from."""
    module = Mixing().eval()

    def proven(_: Precision) -> Written:
        assert onnx is not None
        return Written(onnx, exporter="torch.onnx")

    def quantize(_: Path, __: Path) -> Quantization:
        raise NotImplementedError

    return WriteJob(
        target=Target(
            module=module,
            inputs=INPUTS,
            outputs=OUTPUTS,
            example=rows(2),
            noise=lambda generator, batch: rows(batch, int(generator.integers(99))),
            sized=lambda _, sizes: rows(sizes.get("batch", 2)),
            facts=DeploymentFacts(task="tensor"),
            batch=None,
        ),
        described=FACTS,
        precision=precision,
        options=Options(opset=opset),
        onnx=proven,
        quantize=quantize,
    )


def assert_runs(path: Path, *, within: float = 1e-5) -> None:
    """Opened by the runtime the file carries its facts and answers as the module does, on batches never traced."""
    opened = engine_for_file(path).open_graph(path, device="cpu", threads=1)
    assert opened.embedded is not None
    assert manifest.decode(opened.embedded, where=path.name) == FACTS
    module = Mixing().eval()
    for count in (1, 2, 5):
        inputs = rows(count, seed=count)
        with torch.no_grad():
            expected = [tensor.numpy() for tensor in module(*map(torch.from_numpy, inputs))]
        found: Any = opened.run(inputs)
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == np.float32
            np.testing.assert_allclose(one, other, atol=within, rtol=within)
