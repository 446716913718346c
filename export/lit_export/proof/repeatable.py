"""Whether the eager module is a function of its inputs: random, stateful and input-editing modules are told as that."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export.loaded_state import LoadedState
from lit_export.proof.observed import Observed, observed
from lit_export.proof.samples import Sample
from lit_export.proof.source_code import assignments_of
from lit_export.tasks import Target, answers
from lit_export.tasks.target import tensors_of
from lit_export.user_code import shown_path, user_code
from lit_infer import progress
from lit_infer.errors import GateError, LitError
from lit_infer.proof import TOLERANCES, difference
from lit_infer.tensors import Arrays

_SHOWN = 3


def check_repeatable(target: Target, expected: Sequence[Sample]) -> None:
    """Run the smallest sample twice. Raises GateError if the answers are others; warns of inputs that are edited."""
    sample = min(expected, key=lambda one: one.rows)
    for _ in range(2):  # state that the other samples have left may not fit this one, and what itself has left does
        tensors = tensors_of(sample.inputs)
        with torch.no_grad(), user_code(f"{type(target.module).__qualname__}.forward"):
            output = target.module(*tensors)
        found = tuple(one.numpy() for one in (output if isinstance(output, tuple) else (output,)))
        if apart := _apart(found, sample.answers):
            raise GateError(_why(target, sample, apart))
    written = zip(target.inputs, tensors, sample.inputs, strict=True)
    edited = [tensor.name for tensor, given, kept in written if _is_edited(given.numpy(), kept)]
    if edited:
        seen = _observed(target, sample)
        where = _listed(f"{spot.place}" for spot, name in seen.written.items() if name.startswith("its input "))
        progress.note(
            f"warning: forward writes to its input {', '.join(edited)} ({where or 'in code without source'}). The "
            "graph leaves its inputs as they are; it is compared with the answers for inputs as they were given"
        )


def check_first_call(target: Target, expected: Sequence[Sample], loaded: LoadedState) -> None:
    """Ask the module as it was loaded for the largest batch. Raises GateError if it answers as after no other call."""
    names = loaded.overwritten
    if not names and not loaded.is_changed:
        return
    sample = max((one for one in expected if not one.files), key=lambda one: one.rows)
    try:
        with loaded.rewound():
            found = answers(target.module, sample.inputs)
    except LitError:  # a size that what an earlier call has left is for
        return
    if apart := _apart(found, sample.answers):
        told = _listed(f"`{name}`" for name in names)
        raise GateError(
            f"forward keeps state between calls{f' ({told})' if told else ''}: what "
            f"the first call leaves there decides the later answers, and {apart}. Save the checkpoint after that call, "
            "or begin anew in each"
        )


def _is_edited(now: NDArray[Any], before: NDArray[Any]) -> bool:
    return not np.array_equal(now, before, equal_nan=before.dtype.kind == "f")


def _apart(found: Arrays, before: Arrays) -> str | None:
    """How far two runs on the same inputs are apart; None if they are the same but for rounding."""
    law, most = TOLERANCES["fp32"], 0.0
    for one, other in zip(found, before, strict=True):
        if one.shape != other.shape:
            return f"two runs on the same inputs answer {list(other.shape)} and {list(one.shape)}"
        measured = difference(one, other, atol=law.atol)
        if (measured.values > measured.floor + law.rtol * np.abs(measured.truth)).any():
            most = max(most, measured.max_abs)
    return f"two runs on the same inputs differ by up to {most:.2g}" if most else None


def _why(target: Target, sample: Sample, apart: str) -> str:
    """What is wrong with a module whose second answer is another one, the line, and the cure."""
    before, states = _kept(target.module), _states()
    seen = _observed(target, sample)
    drawn = [f"{name} in {spot.place}" for spot, name in seen.random.items()]
    drawn += [name for name, state in _states().items() if state != states[name]]
    if drawn:
        return (
            f"forward is random ({_listed(drawn)}): {apart}. Make the noise an input of forward, or draw it only "
            "`if self.training`"
        )
    changed = dict(_changed(target.module, before, seen))
    if changed:
        told = _listed(f"`{name}` in {place}" if place else f"`{name}`" for name, place in changed.items())
        return (
            f"forward keeps state between calls ({told}), which a graph does not: {apart}. Make the state an input "
            "and an output of forward, or begin anew in each call"
        )
    return f"forward depends on more than its inputs (the clock, a global variable, threads?): {apart}"


def _states() -> dict[str, Any]:
    """Of the random generators beside torch's."""
    numpys: Any = np.random.get_state()
    return {"Python's random": random.getstate(), "numpy.random": (numpys[1].tobytes(), *numpys[2:])}


def _observed(target: Target, sample: Sample) -> Observed:
    return observed(target.module, sample.inputs, [tensor.name for tensor in target.inputs])


def _kept(module: nn.Module) -> dict[str, tuple[Any, Any]]:
    """What a module keeps, by name: the object itself, so that no other gets its id, and what tells it from others."""
    return {name: (value, _mark(value)) for name, value in _attributes(module)}


def _attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    for path, part in module.named_modules():
        owned = {**vars(part), **part._buffers, **part._parameters}
        for name, value in owned.items():
            if name not in ("_buffers", "_parameters", "_modules"):
                yield f"{path}.{name}".removeprefix("."), value


def _mark(value: Any) -> Any:
    if isinstance(value, int | float | str | bytes):
        return value
    if isinstance(value, list | dict | set):
        return id(value), len(value)
    return (id(value), value._version) if isinstance(value, Tensor) and not value.is_inference() else id(value)


def _changed(module: nn.Module, before: dict[str, tuple[Any, Any]], seen: Observed) -> Iterator[tuple[str, str]]:
    """The attributes that a run has changed, and where."""
    written = {name: spot.place for spot, name in seen.written.items()}
    for name, value in _attributes(module):
        if name in written or name not in before or before[name][1] != _mark(value):
            place = written.get(name) or _assigned(name.rpartition(".")[2], seen)
            yield name.removeprefix("module."), place


def _assigned(attribute: str, seen: Observed) -> str:
    """The first line among those that ran which gives an attribute a value."""
    for trace in seen.reached.functions:
        for filename, line in assignments_of(attribute, trace.code):
            return f"{shown_path(filename)}:{line}"
    return ""


def _listed(texts: Any) -> str:
    shown = list(dict.fromkeys(texts))
    return ", ".join(shown[:_SHOWN]) + (", …" if len(shown) > _SHOWN else "")
