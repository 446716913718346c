"""Task `tensor`: any module, unchanged. Several inputs, several outputs, integers, sequences; no preprocessing.

Inputs come from the module's `example_input_array` or from `--input [name=]3x224x224[:dtype]`. Outputs are named by
their keys where the module answers a dict or a named tuple, else `output`, or `output_0`, `output_1`, …
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export.options import Options
from lit_export.tasks.spec import ExportTask
from lit_export.tasks.target import BATCH, Target, answers
from lit_infer import manifest
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts, Dimension
from lit_infer.tasks.tensor import TASK as RUNTIME
from lit_infer.tensors import Arrays

_INPUT = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>\d+(?:x\d+)*)?(?::(?P<dtype>[a-z]+\d*))?")
_SCALES = (1.0, 0.1, 3.0, 0.01)
Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Input:
    """An input of the module: an example of it, and which of its axes may vary."""

    name: str
    example: NDArray[Any]
    dynamic: Mapping[int, str]

    @property
    def shape(self) -> tuple[Dimension, ...]:
        """With the names of the dynamic sides."""
        return tuple(self.dynamic.get(axis, side) for axis, side in enumerate(self.example.shape))

    def made(self, generator: np.random.Generator, sizes: Sizes, scale: float = 1.0) -> NDArray[Any]:
        """Noise of these sizes: integers and booleans from the example's range, floats about its values."""
        shape = tuple(sizes[side] if isinstance(side, str) else side for side in self.shape)
        if self.example.dtype.kind in "iub":
            low, high = (int(self.example.min()), int(self.example.max())) if self.example.size else (0, 0)
            return generator.integers(low, high + 1, shape).astype(self.example.dtype)
        return (generator.standard_normal(shape) * scale).astype(self.example.dtype)


class Flat(nn.Module):
    """A module from tensors to a tuple of tensors, whatever the module takes and returns itself."""

    def __init__(self, module: nn.Module, keywords: tuple[str, ...] | None) -> None:
        super().__init__()
        self.module = module
        self.keywords = keywords

    def answer(self, *tensors: Tensor) -> Any:
        """The module's answer, unchanged."""
        if self.keywords is None:
            return self.module(*tensors)
        return self.module(**dict(zip(self.keywords, tensors, strict=True)))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The tensors of the answer, in its order."""
        return tuple(tensor for _, tensor in _flattened(self.answer(*tensors), ""))


def tensor_target(module: nn.Module, facts: DeploymentFacts, options: Options) -> Target:
    """The target of task `tensor`, from `--input` or else the module's `example_input_array`."""
    static_batch = options.static_batch
    found, keywords = _inputs(module, options.inputs)
    found = _with_dynamic(found, static_batch=static_batch, wishes=options.dynamic)
    base = {side: entry.example.shape[axis] for entry in found for axis, side in entry.dynamic.items()}
    flat = Flat(module, keywords).eval()
    sizes_tried = _sizes_that_work(flat, found, base)
    example = _made(found, np.random.default_rng(0), base)
    with torch.no_grad():
        names = [name or "output" for name, _ in _flattened(flat.answer(*map(torch.from_numpy, example)), "")]

    def noise(generator: np.random.Generator, batch: int) -> Arrays:
        sizes = sizes_tried[batch % len(sizes_tried)]
        if BATCH in sizes:
            sizes = {**sizes, BATCH: batch}
        return _made(found, generator, sizes, scale=_SCALES[batch % len(_SCALES)])

    return Target(
        module=flat,
        inputs=tuple(_described(entry.name, entry.example, entry.shape) for entry in found),
        outputs=_outputs(flat, found, names, base),
        example=example,
        noise=noise,
        facts=facts,
        batch=None if BATCH in base else found[0].example.shape[0],
    )


def _inputs(module: nn.Module, given: Sequence[str]) -> tuple[list[Input], tuple[str, ...] | None]:
    """The inputs, without dynamic sides yet, and the keywords to call the module with; None: by position."""
    parameters = [
        parameter.name
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    example = getattr(module, "example_input_array", None)
    if not given and example is None:
        raise UsageError(
            "what the module takes is not known. Give --input 3x224x224 (a shape without its batch), "
            "set example_input_array in the module, or give --spec FILE for images"
        )
    if given:
        made = [_parsed(text, index, parameters) for index, text in enumerate(given)]
        return made, tuple(entry.name for entry in made) if any("=" in text for text in given) else None
    if isinstance(example, Mapping):
        return [Input(name, _array(tensor), {}) for name, tensor in example.items()], tuple(example)
    tensors = example if isinstance(example, tuple | list) else (example,)
    names = [*parameters, *(f"input_{index}" for index in range(len(parameters), len(tensors)))]
    return [Input(name, _array(tensor), {}) for name, tensor in zip(names, tensors, strict=False)], None


def _array(tensor: Any) -> NDArray[Any]:
    if not isinstance(tensor, Tensor):
        raise UsageError(f"example_input_array holds {type(tensor).__name__}; every input of a graph is a tensor")
    return tensor.detach().cpu().numpy()


def _parsed(text: str, index: int, parameters: Sequence[str]) -> Input:
    """`[name=]3x224x224[:dtype]`; the batch is added in front."""
    match = _INPUT.fullmatch(text)
    if not match or not text:
        raise UsageError(f"--input {text!r}: expected [name=]3x224x224[:dtype], a shape without its batch")
    shape = tuple(int(side) for side in (match["shape"] or "").split("x") if side)
    dtype = match["dtype"] or "float32"
    if dtype not in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"):
        raise UsageError(f"--input {text!r}: the dtype {dtype} is not known; use float32, int64, uint8, bool, …")
    name = match["name"] or (parameters[index] if index < len(parameters) else f"input_{index}")
    return Input(name, np.zeros((2, *shape), dtype=dtype), {})


def _with_dynamic(inputs: list[Input], *, static_batch: int | None, wishes: Sequence[str]) -> list[Input]:
    batch = inputs[0].example.shape[0] if inputs[0].example.ndim else None
    sides: list[dict[int, str]] = [{} for _ in inputs]
    for entry, dynamic in zip(inputs, sides, strict=True):
        if entry.example.ndim and entry.example.shape[0] == batch and static_batch is None:
            dynamic[0] = BATCH
    for wish in wishes:
        side, axes = _wished(wish, inputs)
        for index, axis in axes:
            sides[index][axis] = side
    resized = [_at_batch(entry.example, batch, static_batch) for entry in inputs]
    return [Input(entry.name, array, dynamic) for entry, array, dynamic in zip(inputs, resized, sides, strict=True)]


def _at_batch(example: NDArray[Any], batch: int | None, static_batch: int | None) -> NDArray[Any]:
    """The example at the batch to be traced with: two where it is dynamic, since one would be frozen."""
    if batch is None or not example.ndim or example.shape[0] != batch:
        return example
    return np.resize(example, (static_batch or max(batch, 2), *example.shape[1:]))


def _wished(wish: str, inputs: Sequence[Input]) -> tuple[str, list[tuple[int, int]]]:
    """What one --dynamic asks for: a side's name, and the (input, axis) pairs that it names."""
    side, _, where = wish.partition("=")
    only, _, axis = where.rpartition(".")
    if not where and side in ("height", "width"):  # of images [batch, channels, height, width]
        axis = "2" if side == "height" else "3"
    if not side.isidentifier() or not axis.isdecimal():
        raise UsageError(f"--dynamic {wish}: expected height, width, NAME=AXIS or NAME=INPUT.AXIS, as in length=1")
    able = [
        (index, int(axis))
        for index, entry in enumerate(inputs)
        if (not only or entry.name == only) and int(axis) < entry.example.ndim
    ]
    length = {index: inputs[index].example.shape[axis] for index, axis in able}
    axes = [pair for pair in able if length[pair[0]] == length[able[0][0]]]  # a side of one name has one length
    if not axes:
        known = ", ".join(f"{entry.name} {list(entry.example.shape)}" for entry in inputs)
        raise UsageError(f"--dynamic {wish}: no input has such an axis; the inputs are {known}")
    return side, axes


def _sizes_that_work(flat: Flat, inputs: Sequence[Input], base: Sizes) -> list[Sizes]:
    """The sizes of the dynamic sides that are tried: those of the example, twice those, and one more of each."""
    others = [side for side in base if side != BATCH]
    if not others:
        return [base]
    tried: list[Sizes] = [base]
    for factor, more in ((2, 0), (1, 1)):
        sizes = {side: factor * size + more if side in others else size for side, size in base.items()}
        try:
            answers(flat, _made(inputs, np.random.default_rng(0), sizes))
        except Exception:  # noqa: S112 - a module may demand multiples, and may raise anything
            continue
        tried.append(sizes)
    if len(tried) == 1:
        raise UsageError(f"--dynamic {others[0]}: the module itself refuses all sizes but the example's")
    return tried


def _outputs(flat: Flat, inputs: Sequence[Input], names: Sequence[str], base: Sizes) -> tuple[manifest.Tensor, ...]:
    """Names, dtypes and shapes of the outputs; a side that follows a dynamic side of the input has its name."""
    plain = answers(flat, _made(inputs, np.random.default_rng(0), base))
    shapes: list[list[Dimension]] = [list(array.shape) for array in plain]
    for side, size in base.items():
        larger = answers(flat, _made(inputs, np.random.default_rng(0), {**base, side: 2 * size}))
        for index, array in enumerate(larger):
            for axis, length in enumerate(array.shape):
                if length != plain[index].shape[axis]:
                    shapes[index][axis] = side if length == 2 * size else f"{names[index]}_{axis}"
    return tuple(_described(name, array, tuple(shape)) for name, array, shape in zip(names, plain, shapes, strict=True))


def _made(inputs: Sequence[Input], generator: np.random.Generator, sizes: Sizes, scale: float = 1.0) -> Arrays:
    return tuple(entry.made(generator, sizes, scale) for entry in inputs)


def _described(name: str, array: NDArray[Any], shape: tuple[Dimension, ...]) -> manifest.Tensor:
    plain = {"name": name, "dtype": str(array.dtype), "shape": shape}
    return manifest.convert(plain, manifest.Tensor, where=f"the tensor {name}")


def _flattened(output: Any, name: str) -> list[tuple[str, Tensor]]:
    """Names and tensors of an answer: a tensor, or tuples, lists, dicts and named tuples of such; None is left out."""
    if isinstance(output, Tensor):
        return [(name, output)]
    if output is None:
        return []
    if isinstance(output, Mapping):  # also the ModelOutput of transformers
        parts = list(output.items())
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        parts = list(zip(output._fields, output, strict=True))
    elif isinstance(output, tuple | list):
        parts = [(f"{'' if name else 'output_'}{index}", part) for index, part in enumerate(output)]
    else:
        raise UsageError(
            f"the module answers {type(output).__name__}; a graph answers tensors, or dicts and tuples of them"
        )
    joined = ((re.sub(r"\W", "_", f"{name}_{key}" if name else str(key)), part) for key, part in parts)
    return [pair for key, part in joined for pair in _flattened(part, key)]


TASK = ExportTask(name=RUNTIME.name, target=tensor_target)
