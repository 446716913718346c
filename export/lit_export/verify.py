"""Prove a finished graph file: the runtime's own predictor must answer as the eager module does."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lit_infer.errors import GateError
from lit_infer.manifest import Parity
from lit_infer.predictor import Predictor

BATCHES = (1, 2, 7)
ATOL, RTOL = 1e-6, 1e-3
"""fp32: |graph - eager| <= ATOL + RTOL * |eager|, on probabilities. The relative part is what sees an error in
the logits of classes that the softmax makes small."""

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """Images uint8 [batch, height, width, channels] and the eager module's answers for them."""

    images: Images
    answers: NDArray[np.float32]


def samples(module: nn.Module, shape: tuple[int, ...]) -> list[Sample]:
    """One sample per batch size: seeded noise, dark to bright, fine to coarse, so that no layer sees one scale only."""
    generator = np.random.default_rng(0)
    return [Sample(images, eager(module, images)) for images in (_noise(generator, n, shape) for n in BATCHES)]


def eager(module: nn.Module, images: Images) -> NDArray[np.float32]:
    """The eager module's answers; it must be in eval mode."""
    if any(part.training for part in module.modules()):
        raise GateError("the module is in training mode: its answers would not be those of production")
    with torch.no_grad():
        answers: NDArray[np.float32] = module(torch.from_numpy(images)).numpy()
    if answers.ndim != 2:
        raise GateError(f"a classifier answers [batch, classes]; this module answers {list(answers.shape)}")
    if not np.isfinite(answers).all():
        raise GateError("the eager module itself answers NaN or infinity: the checkpoint is of no use")
    return answers


def parity(predictor: Predictor, expected: list[Sample], *, atol: float = ATOL, rtol: float = RTOL) -> Parity:
    """Compare a graph with the eager module on every sample. Raises GateError where it is not the same model."""
    found = [_run(predictor, sample) for sample in expected]
    graph = np.concatenate(found).astype(np.float64)
    truth = np.concatenate([sample.answers for sample in expected]).astype(np.float64)
    if not np.isfinite(graph).all():
        raise GateError("parity failed: the graph answers NaN or infinity")
    difference = np.abs(graph - truth)
    measured = Parity(
        batches=tuple(len(sample.images) for sample in expected),
        inputs="noise",
        cosine=_least_cosine(graph, truth),
        max_abs=float(difference.max()),
        max_rel=float((difference / np.maximum(np.abs(truth), atol)).max()),
        top1_agreement=float((graph.argmax(-1) == truth.argmax(-1)).mean()),
        atol=atol,
        rtol=rtol,
    )
    if (difference > atol + rtol * np.abs(truth)).any():
        raise GateError(
            f"parity failed: the graph differs from the eager module by up to {measured.max_abs:.2g} "
            f"(allowed {atol:g} + {rtol:g} x value), top-1 agreement {measured.top1_agreement:.1%}"
        )
    return measured


def _least_cosine(graph: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    norms = np.linalg.norm(graph, axis=-1) * np.linalg.norm(truth, axis=-1)
    return float(np.divide((graph * truth).sum(-1), norms, out=np.ones_like(norms), where=norms > 0).min())


def _run(predictor: Predictor, sample: Sample) -> NDArray[Any]:
    names = predictor.manifest.inputs[0].name, predictor.manifest.outputs[0].name
    answers = predictor.run({names[0]: sample.images})[names[1]]
    if answers.shape != sample.answers.shape:
        raise GateError(
            f"parity failed: for {len(sample.images)} images the graph answers {list(answers.shape)}, "
            f"the eager module {list(sample.answers.shape)}"
        )
    return answers


def _noise(generator: np.random.Generator, count: int, shape: tuple[int, ...]) -> Images:
    height, width, channels = shape
    images = []
    for index in range(count):
        coarse = 2 ** (index % 4)  # blocks of 1, 2, 4, 8 pixels
        small = generator.integers(0, 256, (-(-height // coarse), -(-width // coarse), channels))
        noise = small.repeat(coarse, axis=0).repeat(coarse, axis=1)[:height, :width]
        images.append(noise * generator.uniform(0.1, 1.0))
    return np.stack(images).astype(np.uint8)
