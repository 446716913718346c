"""How the module takes what it was given: the first form of the call that it accepts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export.inputs.call import OpenCall, asked, call_of, signature_of
from lit_export.inputs.conventions import Arguments, annotated, mismatch
from lit_export.inputs.flat import Flat
from lit_export.inputs.given import GivenCalls
from lit_export.inputs.typed import DTYPES
from lit_export.user_code import user_code
from lit_infer.errors import LitError, UsageError
from lit_infer.tensors import Arrays

_IS_FORM = re.compile(r" failed: (?:AttributeError|KeyError|TypeError|IndexError)\b")
"""Of a module that was given tensors in another form than it takes."""
_FORM = (
    ".\nIf it takes tensors in a form of its own, put a module around it whose forward takes these by name, and calls "
    "it with that form: --adapter pkg.mod:Wrap"
)


@dataclass(frozen=True)
class Taken:
    """The module as a function of flat tensors, and what to call it with."""

    flat: Flat
    names: tuple[str, ...]
    batches: tuple[Arrays, ...]
    notes: tuple[str, ...]


def taken(module: nn.Module, given: GivenCalls, dtype: torch.dtype) -> Taken:
    """The call that works. `dtype`: of the module's weights, for inputs of another one."""
    forms = _forms(module, given.candidates)
    for cast in (None, dtype):
        for index, call, tensors in forms:
            flat = Flat(module, call, _casts(tensors, cast)).eval()
            if _accepts(flat, tensors):
                return _taken(flat, given, index, tensors)
    _, call, tensors = forms[0]
    names = _named(call, tensors, given)
    shown = ", ".join(f"{name} {_words(tensor)}" for name, tensor in zip(names, tensors, strict=True))
    try:
        with user_code(f"{asked(module)} on {shown}"), torch.no_grad():
            Flat(module, call, _casts(tensors, None)).eval().answer(*_copies(tensors))
    except LitError as error:
        if given.named is None:
            raise
        said = f"{error}{_FORM if _IS_FORM.search(str(error)) else ''}"
        if set(names) & set(signature_of(module).parameters) or annotated(module):
            raise type(error)(said) from None
        raise UsageError(f"{mismatch(module, names)} Given in one argument: {said}") from None
    raise UsageError(f"{asked(module)} failed, and with the same inputs it did not")  # it draws or keeps something


def run(flat: Flat, arrays: Arrays) -> list[NDArray[Any]]:
    """The answers, whatever they are. Raises what the module raises."""
    with torch.no_grad():
        return [tensor.detach().numpy() for tensor in flat(*(torch.from_numpy(array.copy()) for array in arrays))]


def _forms(module: nn.Module, candidates: Sequence[Arguments]) -> list[tuple[int, OpenCall, tuple[Tensor, ...]]]:
    """The candidates that fit the signature, with their places."""
    found, refused = [], None
    for index, (args, kwargs) in enumerate(candidates):
        try:
            found.append((index, *call_of(module, args, kwargs)))
        except UsageError as error:
            refused = refused or error
    if not found and refused is not None:
        raise refused
    return found


def _accepts(flat: Flat, tensors: Sequence[Tensor]) -> bool:
    try:
        with torch.no_grad():
            flat.answer(*_copies(tensors))
    except LitError:
        raise
    except Exception:  # the user's code may raise anything for a call of another form
        return False
    return True


def _taken(flat: Flat, given: GivenCalls, index: int, tensors: tuple[Tensor, ...]) -> Taken:
    call = flat.call
    names = _named(call, tensors, given)
    batches = [_arrays(names, tensors)]
    for args, kwargs in (forms[index] for forms in given.more):
        other, found = call_of(flat.module, args, kwargs)
        if other.names == call.names and other.form != call.form:
            raise UsageError(
                f"{flat.asked} gets a number, text or None that is another from batch to batch; a graph has one of "
                "each. Make it a tensor, or choose what to give: --batch-to-inputs pkg.mod:fn"
            )
        if other.form == call.form:
            batches.append(_arrays(names, found))
    return Taken(flat, names, tuple(batches), (*given.notes, *call.constants))


def _named(call: OpenCall, tensors: Sequence[Tensor], given: GivenCalls) -> tuple[str, ...]:
    """The user's own names, in the order of the call, where there are some."""
    if given.named is None:
        return call.names
    return tuple(next(name for name, one in given.named.items() if one is tensor) for tensor in tensors)


def _casts(tensors: Sequence[Tensor], dtype: torch.dtype | None) -> tuple[torch.dtype | None, ...]:
    """What each is cast to inside: floats to `dtype`; to bfloat16 what was that, since arrays have none."""

    def wanted(tensor: Tensor) -> torch.dtype | None:
        if tensor.dtype == torch.bfloat16:
            return dtype or torch.bfloat16
        return dtype if tensor.is_floating_point() and tensor.dtype != dtype else None

    return tuple(map(wanted, tensors))


def _copies(tensors: Sequence[Tensor]) -> list[Tensor]:
    """A module may edit its inputs."""
    return [tensor.detach().cpu().clone() for tensor in tensors]


def _arrays(names: Sequence[str], tensors: Sequence[Tensor]) -> Arrays:
    return tuple(_array(name, tensor) for name, tensor in zip(names, tensors, strict=True))


def _array(name: str, tensor: Tensor) -> NDArray[Any]:
    tensor = tensor.detach().cpu()
    if tensor.layout is not torch.strided or tensor.is_complex() or tensor.is_nested:
        raise UsageError(
            f"the input {name} is {_words(tensor)}: graphs take dense tensors of real numbers. "
            "Make it inside: --adapter pkg.mod:Wrap, a module whose forward takes the parts"
        )
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    array = np.array(tensor.resolve_neg().numpy())
    if str(array.dtype) not in DTYPES:
        raise UsageError(f"the input {name} is {array.dtype}, which graphs do not take; cast it to int64")
    return array


def _words(tensor: Tensor) -> str:
    layout = "" if tensor.layout is torch.strided else f"{str(tensor.layout).removeprefix('torch.')} "
    return f"{layout}{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
