"""What is measured: the graphs of a model, open, and what they are fed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer import bundle
from lit_infer.answering import static_batch
from lit_infer.bundle import GraphFile
from lit_infer.engines import split
from lit_infer.errors import EngineError, LitError, MissingExtraError, UsageError
from lit_infer.images import ImageInput
from lit_infer.manifest import Manifest, Tensor
from lit_infer.predictor import BatchPolicy, Predictor, open_predictor

Inputs = Mapping[str, NDArray[Any]]
MakeInputs = Callable[[int], Inputs]
"""Batch size to arrays by input name."""


@dataclass(frozen=True)
class Subject:
    """One graph, open, and what it is measured on."""

    name: str
    """As people name it: onnx, onnx int8."""
    predictor: Predictor
    inputs: MakeInputs | None = None
    """What to feed it, of which it takes the arrays it has names for; None: noise in the manifest's shapes."""
    images: Sequence[ImageInput] = ()
    """Images to decode and resize as part of each call; () measures the graph alone."""
    file: GraphFile | None = None
    """Where it was opened from, for who opens it once more."""

    def arrays(self, batch_size: int) -> Inputs:
        """Prepared input of a batch."""
        described = self.predictor.manifest
        made = (self.inputs or noise(described))(batch_size)
        return {tensor.name: made[tensor.name] for tensor in described.inputs if tensor.name in made}


def noise(manifest: Manifest) -> MakeInputs:
    """Random input in a manifest's shapes. A side that it leaves open must follow from the preprocessing."""
    shapes = {tensor.name: _shape(manifest, tensor) for tensor in manifest.inputs}

    def make(batch_size: int) -> Inputs:
        generator = np.random.default_rng(0)
        return {
            tensor.name: generator.integers(0, 256, (batch_size, *shapes[tensor.name])).astype(tensor.dtype)
            for tensor in manifest.inputs
        }

    return make


def repeated(arrays: Inputs) -> MakeInputs:
    """A caller's own arrays, their rows repeated to make a batch of any size."""
    return lambda batch_size: {
        name: np.ascontiguousarray(array[np.arange(batch_size) % len(array)]) for name, array in arrays.items()
    }


def open_subjects(
    model: str,
    *,
    device: str,
    engines: Sequence[str] = (),
    threads: Sequence[int | None] = (None,),
    images: Sequence[ImageInput] = (),
    inputs: MakeInputs | None = None,
) -> tuple[list[Subject], list[str]]:
    """Every graph of a model that an engine here can run, and a line for each that none can.

    `engines`: only these, each of them or an error; `onnx:openvino` names a provider. `threads`: open each graph for
    each number of them.
    """
    graphs = bundle.find(model)
    for engine in engines or ("auto",):
        bundle.choose(graphs, engine=engine)  # raises, with the fix, where not one of them can be run
    wanted = [graph for engine in engines or ("auto",) for graph in _of(graphs, engine)]
    subjects: list[Subject] = []
    left_out: list[str] = []
    for graph in wanted:
        try:
            opened = [open_predictor(graph, device=device, threads=number) for number in threads]
        except (EngineError, MissingExtraError) as error:
            if len(wanted) == 1:
                raise
            left_out.append(_left_out(graph, error))
            continue
        fed = inputs or _golden(graph)
        subjects += [Subject(label(graph), predictor, fed, images, graph) for predictor in opened]
    if not subjects:
        raise EngineError("; ".join(left_out))
    return subjects, left_out


def label(graph: GraphFile) -> str:
    """What people call a graph: its format, its precision where that is not fp32, the provider that was named."""
    name = graph.listed.label if graph.listed is not None else graph.engine.format
    return name if graph.provider == "auto" else f"{name}:{graph.provider}"


def sizes_for(subject: Subject, wanted: Sequence[int]) -> list[int]:
    """The batch sizes to measure: those wanted, or the one that the graph was exported for."""
    static = static_batch(subject.predictor.manifest)
    return list(wanted) if static is None else [static]


def for_callers(subject: Subject, *, max_batch: int | None = None) -> tuple[Predictor, Sequence[ImageInput]]:
    """A predictor for the same open graph, and the images to hand it one by one.

    Without images of the user's they are noise, prepared already, and the predictor prepares nothing. Its queue has
    no limit to speak of: what is measured is the wait in it.
    """
    predictor = subject.predictor
    described = predictor.manifest
    if described.task == "tensor":
        raise UsageError(f"{described.name} is for task tensor: callers and scenarios are measured on image models")
    images = subject.images
    if not images:
        height, width, channels = described.image_shape
        images = list(np.random.default_rng(0).integers(0, 256, (64, height, width, channels)).astype(np.uint8))
        fixed = Tensor(
            name=described.inputs[0].name, dtype="uint8", shape=(described.inputs[0].shape[0], height, width, channels)
        )
        described = msgspec.structs.replace(described, preprocess=(), inputs=(fixed,))
    size = static_batch(described) or max_batch or predictor.batch_size
    policy = BatchPolicy(max_batch=size, max_items=2**40, max_bytes=2**60)
    (graph, *_) = predictor.sessions.opened()
    return Predictor(described, graph, threads=predictor.threads, batch_size=size, policy=policy), images


def own_inputs(path: Path) -> MakeInputs:
    """The arrays of an .npz file, by the names of inputs; others may be in it."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, AttributeError, TypeError, BadZipFile):
        raise UsageError(f"{path} is not an .npz file of arrays, as numpy.savez makes it") from None
    if not arrays or not all(array.ndim and len(array) for array in arrays.values()):
        raise UsageError(f"{path}: expected arrays by input name, each with at least one row")
    return repeated(arrays)


def _shape(manifest: Manifest, tensor: Tensor) -> tuple[int, ...]:
    fixed = tuple(side for side in tensor.shape[1:] if isinstance(side, int))
    if len(fixed) == len(tensor.shape) - 1:
        return fixed
    if manifest.task == "tensor":
        sides = list(tensor.shape)
        raise UsageError(f"input {tensor.name} has dynamic sides {sides}. Give arrays for it: --inputs batch.npz")
    return manifest.image_shape


def _golden(graph: GraphFile) -> MakeInputs | None:
    """The bundle's own example inputs, for a tensor model whose manifest leaves sides open."""
    described = graph.manifest
    if described is None or described.golden is None or described.task != "tensor":
        return None
    is_open = any(isinstance(side, str) for tensor in described.inputs for side in tensor.shape[1:])
    return own_inputs(graph.path.parent / described.golden) if is_open else None


def _of(graphs: Sequence[GraphFile], engine: str) -> list[GraphFile]:
    """The graphs that an engine is for."""
    name, provider = split(engine)
    return [replace(graph, provider=provider) for graph in graphs if name in ("auto", graph.engine.format)]


def _left_out(graph: GraphFile, error: LitError) -> str:
    engine = graph.engine
    if engine.is_installed():
        return f"{graph.path.name} is left out: {error}"
    fix = f'pip install "lit-deploy[{engine.extra}]"'
    return f"{graph.path.name} is left out: {engine.module} is not installed ({fix})"
