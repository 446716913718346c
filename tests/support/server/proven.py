"""A tiny bundle that passes its golden check, and requests to it."""

from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from lit_infer import manifest
from lit_infer.manifest import Parity
from tests.inference.tiny import colour, make_bundle, rewrite

PARITY = Parity(
    batches=(1, 2), inputs="noise", max_abs=1e-7, max_rel=1e-6, cosine=1.0, agreement=1.0, atol=1e-5, rtol=1e-3
)


def expected(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the tiny graph answers, by arithmetic."""
    exponents = np.exp(images.astype(np.float64).mean((1, 2)) / 64)
    return (exponents / exponents.sum(-1, keepdims=True)).astype(np.float32)


def make_proven(folder: Path, *, wrong: bool = False, **changes: Any) -> Path:
    """The bundle of `tiny` with golden answers; `wrong`: ones that it does not give."""
    made = make_bundle(folder, **changes)
    images = np.stack([colour("red"), colour("green", 90), colour("blue", 3)])
    answers = expected(images)
    np.savez(made / "golden.npz", images=images, probabilities=answers[::-1] if wrong else answers)
    graphs = tuple(replace(graph, parity=PARITY) for graph in manifest.read(made).graphs)
    return rewrite(made, graphs=graphs)
