"""A model without training: it answers which of red, green and blue is the strongest in an image."""

import io
import os
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer import files, manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.manifest import CenterCrop, Graph, MadeWith, Manifest, Resize, Source, Step, Tensor

LABELS = ("red", "green", "blue")
SIDE = 8
STEPS = (Step(resize=Resize(size=SIDE)), Step(center_crop=CenterCrop(size=SIDE)))
DATE = "2026-01-02T03:04:05+00:00"


def described(**changes: Any) -> Manifest:
    """The manifest of the tiny model, without graphs."""
    facts: dict[str, Any] = {
        "name": "colours",
        "task": "image-classification",
        "source": Source(digest="0123456789abcdef" * 4, class_path="tests.Colours"),
        "inputs": (Tensor(name="images", dtype="uint8", shape=("batch", SIDE, SIDE, 3)),),
        "preprocess": STEPS,
        "normalize": None,
        "outputs": (Tensor(name="probabilities", dtype="float32", shape=("batch", 3)),),
        "labels": LABELS,
        "made_with": MadeWith(versions={"onnx": "1"}, command="lit-export onnx", date=DATE),
    }
    return Manifest(**{**facts, **changes})


def graph_bytes(embedded: Manifest | None) -> bytes:
    """An ONNX file: uint8 [batch, 8, 8, 3] -> mean over the pixels -> matmul -> softmax."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {"axes": np.array([1, 2], dtype=np.int64), "weights": np.eye(3, dtype=np.float32) / 64}
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    if embedded is not None:
        helper.set_model_props(model, {MANIFEST_KEY: manifest.encode(embedded).decode()})
    data: bytes = model.SerializeToString()
    return data


def make_bundle(folder: Path, *more: Graph, **changes: Any) -> Path:
    """A bundle folder as export leaves it: model.onnx and a manifest that lists it, and `more` graphs before it."""
    folder.mkdir(parents=True)
    facts = described(**changes)
    (folder / "model.onnx").write_bytes(graph_bytes(facts.embedded()))
    facts = facts.completed(graphs=(*more, listed(folder / "model.onnx", "onnx")), golden="golden.npz", date=DATE)
    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(facts))
    return folder


def listed(path: Path, format: manifest.FormatName) -> Graph:  # noqa: A002 - the field's name
    """A file's entry in a manifest."""
    size = path.stat().st_size
    return Graph(format=format, status="ok", file=path.name, sha256=files.sha256(path), bytes=size)


def rewrite(folder: Path, **changes: Any) -> Path:
    """Change a bundle's manifest in place."""
    from msgspec.structs import replace

    (folder / manifest.FILE_NAME).write_bytes(manifest.encode(replace(manifest.read(folder), **changes)))
    return folder


def colour(label: str, strength: int = 250) -> NDArray[np.uint8]:
    """An 8 by 8 image of one colour."""
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    pixels[:, :, LABELS.index(label)] = strength
    return pixels


def noise(width: int, height: int, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth structure with noise on it: what an encoder has to work for."""
    generator = np.random.default_rng([width, height, channels, seed])
    y, x = np.mgrid[0:height, 0:width]
    waves = 100 + 60 * np.sin(x / 7)[:, :, None] + 60 * np.cos(y / 5)[:, :, None]
    pixels = waves * generator.uniform(0.4, 1, channels) + generator.normal(0, 25, (height, width, channels))
    return pixels.clip(0, 255).astype(np.uint8)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:  # noqa: A002 - Pillow's word for it
    """An image's file, as bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """Write an image file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


_HIDE = """
    import sys
    from importlib.machinery import PathFinder

    class Visible:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return None if name.partition(".")[0] in HIDDEN else PathFinder.find_spec(name, path, target)

        find_distributions = PathFinder.find_distributions
        invalidate_caches = PathFinder.invalidate_caches

    sys.meta_path[sys.meta_path.index(PathFinder)] = Visible
"""


def without(folder: Path, *modules: str) -> dict[str, str]:
    """An environment in which a Python process finds none of these modules, as if they were not installed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(f"HIDDEN = {set(modules)!r}\n{textwrap.dedent(_HIDE)}")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}
