"""Golden answers and parity for the tiny bundle, as export leaves them."""

from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from lit_infer import manifest
from lit_infer.manifest import Graph, Parity
from tests.inference.tiny import colour, rewrite

PARITY = Parity(
    batches=(1, 2),
    inputs="noise",
    max_abs=1e-7,
    max_rel=1e-6,
    cosine=1.0,
    agreement=1.0,
    atol=1e-5,
    rtol=1e-3,
)


def golden() -> dict[str, np.ndarray]:
    """What the module behind the tiny graph answers, by arithmetic."""
    images = np.stack([colour("red"), colour("green", 90), colour("blue", 3), np.full((8, 8, 3), 77, dtype=np.uint8)])
    exponents = np.exp(images.mean((1, 2)) / 64)
    return {"images": images, "probabilities": (exponents / exponents.sum(-1, keepdims=True)).astype(np.float32)}


def with_graphs(bundle: Path, *more: Graph, **changes: Any) -> Path:
    graphs = manifest.read(bundle).graphs
    return rewrite(bundle, graphs=(*(replace(graph, **changes) for graph in graphs), *more))
