"""The server that other people's clients talk to, and what it must answer them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lit_infer.manifest import Tensor
from tests.inference.tiny import LABELS, colour, described
from tests.support.server.process import Server, command
from tests.support.server.proven import expected, make_proven
from tests.support.server.requests import png

OTHER_LABELS = ("rot", "gruen", "blau")


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """`lit-serve` with two versions of the tiny image model, and a model of two inputs and outputs."""
    first = make_proven(folder / "first")
    second = make_proven(folder / "second", labels=OTHER_LABELS)
    models = (f"colours={first}", f"colours={second}", f"pair={make_pair(folder / 'pair.onnx')}")
    with command(*models, "--model-control", "explicit", "--quiet", cwd=folder) as server:
        yield server


def make_pair(path: Path) -> Path:
    """A graph file: x and y, float32 [batch, 4], to their sum and their difference."""
    from onnx import TensorProto, helper

    from lit_infer import manifest
    from lit_infer.engines.opened import MANIFEST_KEY

    inputs, outputs = ("x", "y"), ("sum", "difference")
    graph = helper.make_graph(
        [helper.make_node("Add", inputs, ["sum"]), helper.make_node("Sub", inputs, ["difference"])],
        "pair",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in outputs],
    )
    facts = described(
        name="pair",
        task="tensor",
        inputs=tuple(_row(name) for name in inputs),
        outputs=tuple(_row(name) for name in outputs),
        labels=None,
        preprocess=(),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(facts.embedded()).decode()})
    path.write_bytes(model.SerializeToString())
    return path


def _row(name: str) -> Tensor:
    return Tensor(name=name, dtype="float32", shape=("batch", 4))


def write_right(folder: Path) -> None:
    """Inputs and what is right for them, by arithmetic, for those who cannot import our code."""
    strengths = dict(zip(LABELS, (200, 120, 250), strict=True))
    images = np.stack([colour(label, strength) for label, strength in strengths.items()])
    np.savez(folder / "right.npz", images=images, probabilities=expected(images), labels=[LABELS, OTHER_LABELS])
    for place, (label, strength) in enumerate(strengths.items()):
        (folder / f"{place}.png").write_bytes(png(label, strength))
