"""The outputs of a module: their names, and which of their sides follow which of the inputs'."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lit_export.inputs import tree
from lit_export.inputs.flat import Flat, flattened, left_out
from lit_export.inputs.supply import Sizes, Supply
from lit_export.inputs.taken import run
from lit_infer import manifest
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import LitError, UsageError
from lit_infer.manifest import Dimension

_SEEDS = (2, 3, 4)


@dataclass(frozen=True)
class FoundOutputs:
    """What comes out of a module."""

    tensors: tuple[manifest.Tensor, ...]
    notes: tuple[str, ...]
    """What should be known of what is left out of them."""


def found(flat: Flat, supply: Supply, base: Sizes) -> FoundOutputs:
    """Names, dtypes and shapes. A side that follows a dynamic side of the inputs has its name; one whose length
    depends on something else, such as how much was found, has a name of its own."""
    example = supply.drawn(np.random.default_rng(0), base)
    with torch.no_grad():
        answer = flat.answer(*(torch.from_numpy(array.copy()) for array in example))
    plain = [tensor.detach().numpy() for _, tensor in flattened(answer)]
    names, notes = _names(answer, supply)
    shapes: list[list[Dimension]] = [list(array.shape) for array in plain]
    for side, size in base.items():
        larger = {**base, side: 2 * size}
        with _told(flat, base, larger):
            answered = _answers(flat, supply, larger, seed=1)
        _check(names, plain, answered)
        for index, axis in _changed(plain, answered):
            follows = (plain[index].shape[axis], answered[index].shape[axis]) == (size, 2 * size)
            is_first = isinstance(shapes[index][axis], int)  # one that follows two of them is computed from both
            shapes[index][axis] = side if follows and is_first else f"{names[index]}_{axis}"
    for index, axis in _by_content(flat, supply, names, base, plain):
        shapes[index][axis] = f"{names[index]}_{axis}"
    tensors = (_tensor(name, array, tuple(shape)) for name, array, shape in zip(names, plain, shapes, strict=True))
    return FoundOutputs(tuple(tensors), notes)


def _names(answer: Any, supply: Supply) -> tuple[list[str], tuple[str, ...]]:
    """The outputs' names, and a line on what is no tensor."""
    names = [f"{name}_output" if name in supply.names else name for name, _ in flattened(answer)]
    lost = [name or "output" for name, _ in left_out(answer)]
    notes = (f"{', '.join(lost)} of the answer is no tensor, and is left out",) if lost else ()
    return tree.unique(names, supply.names), notes


def _by_content(
    flat: Flat, supply: Supply, names: Sequence[str], base: Sizes, plain: Sequence[Any]
) -> Iterator[tuple[int, int]]:
    """Outputs and axes whose length is another for other inputs of the same sizes."""
    alone = {**base, BATCH: 1} if BATCH in base else base
    with _told(flat, base, alone):
        answered = [_answers(flat, supply, alone, seed=seed) for seed in _SEEDS]
    if alone == base:
        answered.append(list(plain))
    for other in answered:
        _check(names, plain, other)
        yield from _changed(answered[0], other)


def _changed(before: Sequence[Any], after: Sequence[Any]) -> Iterator[tuple[int, int]]:
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        yield from ((index, axis) for axis in range(one.ndim) if one.shape[axis] != other.shape[axis])


@contextmanager
def _told(flat: Flat, base: Sizes, sizes: Sizes) -> Iterator[None]:
    """Turn what a module raises for another batch into the cure."""
    try:
        yield
    except LitError:
        raise
    except Exception as error:
        if sizes.get(BATCH) == base.get(BATCH):
            raise
        said = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{flat.asked} takes {base[BATCH]} rows and not {sizes[BATCH]} ({type(error).__name__}: {said}).\n"
            f"Give --static-batch {base[BATCH]}; where the batch is another side, --batch-axis INPUT=AXIS"
        ) from None


def inputs(supply: Supply) -> tuple[manifest.Tensor, ...]:
    """Names, dtypes and shapes of what the graph takes."""
    return tuple(
        _tensor(name, array, sides)
        for name, array, sides in zip(supply.names, supply.batches[0], supply.sides, strict=True)
    )


def _answers(flat: Flat, supply: Supply, sizes: Sizes, *, seed: int) -> list[Any]:
    return run(flat, supply.drawn(np.random.default_rng(seed), sizes, batch=seed))


def _check(names: Sequence[str], plain: Sequence[Any], answered: Sequence[Any]) -> None:
    """Whether two answers are those of one graph."""
    if len(answered) != len(names):
        raise UsageError(
            f"the module answers {len(names)} tensors for one batch and {len(answered)} for another, as detectors do "
            "that answer a list with an entry for each image.\nGive --static-batch 1, which has one entry, or answer "
            "padded tensors with a count for each image (--adapter pkg.mod:Wrap)"
        )
    for name, before, after in zip(names, plain, answered, strict=True):
        if before.ndim != after.ndim:
            raise UsageError(
                f"{name} has the shape {list(before.shape)} for one batch and {list(after.shape)} for another. A "
                "squeeze() drops a batch of 1 too: name its axis, as in squeeze(-1), or give --static-batch 1"
            )


def _tensor(name: str, array: Any, shape: tuple[Dimension, ...]) -> manifest.Tensor:
    plain = {"name": name, "dtype": str(array.dtype), "shape": shape}
    return manifest.convert(plain, manifest.Tensor, where=f"the tensor {name}")
