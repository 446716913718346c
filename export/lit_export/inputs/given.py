"""What a module is called with, as it was given: by its own example, by `--input`, by a file or by recorded calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export.inputs import tree
from lit_export.inputs.conventions import Arguments, argument_names, conventions
from lit_export.inputs.typed import Typed
from lit_infer.errors import UsageError
from lit_infer.manifest import ProofInputs

HOW = (
    "Give real inputs (--data-module PKG.MOD:DATA, or --inputs FILE.npz), or --input 3x224x224 "
    "(a shape without its batch), set example_input_array in the module, or give --spec FILE for images"
)


@dataclass(frozen=True)
class GivenCalls:
    """Calls of the module."""

    candidates: Sequence[Arguments]
    """One call, in the forms that it may have, the likeliest first."""
    kind: ProofInputs
    source: str | None = None
    """Where it comes from, in words."""
    named: Mapping[str, Tensor] | None = None
    """The tensors by the names that the user gave them, where it is the user who named them."""
    more: tuple[Sequence[Arguments], ...] = ()
    """Other calls, each in the same forms."""
    notes: tuple[str, ...] = ()

    @property
    def is_real(self) -> bool:
        """Whether its rows are data, to be taken as they are."""
        return self.kind in ("data", "file")


def of_example(example: Any) -> GivenCalls:
    """The module's `example_input_array`: a tensor, arguments in a tuple, or a dict of them, as Lightning takes it."""
    for name, leaf in tree.leaves(example):
        if isinstance(leaf, np.ndarray):
            raise UsageError(f"example_input_array holds a numpy array{f' ({name})' * bool(name)}; make it a tensor")
    if not any(isinstance(leaf, Tensor) for _, leaf in tree.leaves(example)):
        raise UsageError(f"example_input_array holds no tensor but {type(example).__name__}")
    return GivenCalls(forms_of(example), "example", "the module's example_input_array")


def forms_of(value: Any) -> tuple[Arguments, ...]:
    """Arguments in a tuple or a dict, as Lightning takes an example; else, or if that does not fit, one argument."""
    whole: Arguments = ((value,), {})
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return ((), dict(value)), whole
    if isinstance(value, tuple | list):
        return (tuple(value), {}), whole
    return (whole,)


def of_arrays(module: nn.Module, arrays: Mapping[str, NDArray[Any]], *, by_name: bool, **facts: Any) -> GivenCalls:
    """Arrays by name."""
    named = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    return GivenCalls(tuple(conventions(module, named, by_name=by_name)), named=named, **facts)


def of_typed(module: nn.Module, typed: Sequence[Typed], axes: Mapping[str, int | None], *, rows: int) -> GivenCalls:
    """`--input`: noise of these shapes, with `rows` in the batch."""
    generator = np.random.default_rng(0)
    arrays = {}
    for name, one in named(module, typed).items():
        axis, shape = axes.get(name, axes.get("", 0)), list(one.shape or ())
        if axis is not None:
            shape.insert(axis, rows)
        arrays[name] = one.bounds.drawn(generator, shape, one.dtype or "float32")
    return of_arrays(module, arrays, by_name=any(one.name for one in typed), kind="noise")


def named(module: nn.Module, typed: Sequence[Typed]) -> dict[str, Typed]:
    """Each `--input` by its name, or by that of the argument at its place."""
    known = argument_names(module)
    names = [one.name or (known[index] if index < len(known) else f"input_{index}") for index, one in enumerate(typed)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"--input {twice} is given twice")
    return dict(zip(names, typed, strict=True))
