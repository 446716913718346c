"""How a module takes tensors that have names: as arguments, or together in one, a dict, a dataclass, a tuple."""

import collections.abc
import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from lit_export.front import diagnosis
from lit_export.inputs.call import COUNTERS, PredictStep, asked, counted, signature_of
from lit_infer.errors import UsageError

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def argument_names(module: nn.Module) -> list[str]:
    """The names of arguments that take a tensor by position."""
    return [one.name for one in signature_of(module).parameters.values() if one.kind in _BY_POSITION and _is_free(one)]


def conventions(module: nn.Module, tensors: Mapping[str, Tensor], *, by_name: bool) -> Iterator[Arguments]:
    """The calls that make sense, the likeliest first. Raises UsageError where there is none."""
    found = list(_conventions(module, tensors, by_name=by_name))
    if not found:
        raise UsageError(mismatch(module, list(tensors)))
    fixed = counted(module)
    for args, kwargs in found:
        yield args, {**kwargs, **fixed}


def _conventions(module: nn.Module, tensors: Mapping[str, Tensor], *, by_name: bool) -> Iterator[Arguments]:
    together: list[Arguments] = [((container,), {}) for container in _containers(module, tensors, by_name=by_name)]
    if annotated(module) is not None:
        yield from together
    arguments = _as_arguments(module, tensors, by_name=by_name)
    if arguments is not None:
        yield arguments
    if annotated(module) is None:
        yield from together


def _as_arguments(module: nn.Module, tensors: Mapping[str, Tensor], *, by_name: bool) -> Arguments | None:
    """Each tensor an argument of its own; None where that does not fit."""
    parameters = signature_of(module).parameters
    kinds = {one.kind for one in parameters.values()}
    takes_any = inspect.Parameter.VAR_POSITIONAL in kinds
    if not by_name and (takes_any or len(tensors) <= len(argument_names(module))):
        return tuple(tensors.values()), {}
    given, known = dict(tensors), inspect.Parameter.VAR_KEYWORD in kinds
    args: list[Any] = []
    for one in parameters.values():
        if one.kind is inspect.Parameter.POSITIONAL_ONLY and one.name in given:
            args.append(given.pop(one.name))
    if known or all(name in parameters for name in given):
        missing = [one.name for one in _required(module) if one.name not in tensors]
        return None if missing else (tuple(args), given)
    return (tuple(tensors.values()), {}) if takes_any else None


def _containers(module: nn.Module, tensors: Mapping[str, Tensor], *, by_name: bool) -> Iterator[Any]:
    """All tensors in one argument."""
    names, required = argument_names(module), _required(module)
    if not names or len(required) > 1 or (required and required[0].name != names[0]):
        return
    kind = annotated(module)
    if kind is None and by_name and any(name in signature_of(module).parameters for name in tensors):
        return
    if kind is not None:
        made = _made(kind, tensors)
        if made is not None:
            yield made
            return
    if by_name:
        yield dict(tensors)
        yield types.SimpleNamespace(**tensors)
    yield tuple(tensors.values())
    yield list(tensors.values())


def _made(kind: type, tensors: Mapping[str, Tensor]) -> Any:
    """A container of the annotated type; None where the tensors do not fit it."""
    if issubclass(kind, tuple) and not hasattr(kind, "_fields"):
        return tuple(tensors.values())
    if issubclass(kind, list | collections.abc.Sequence) and not hasattr(kind, "_fields"):
        return list(tensors.values())
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        try:
            return kind(**tensors)
        except (TypeError, ValueError):
            return None
    return dict(tensors)


def annotated(module: nn.Module) -> type | None:
    """The container that the first argument is annotated as; None: none."""
    names = argument_names(module)
    try:
        method = module.module.predict_step if isinstance(module, PredictStep) else module.forward
        kind = typing.get_type_hints(method).get(names[0]) if names else None
    except Exception:  # an annotation may name what exists only for a type checker
        return None
    kind = typing.get_origin(kind) or kind
    if not isinstance(kind, type) or issubclass(kind, str | Tensor):
        return None
    is_container = issubclass(kind, collections.abc.Mapping | tuple | list) or kind is collections.abc.Sequence
    return kind if is_container or dataclasses.is_dataclass(kind) or typing.is_typeddict(kind) else None


def _required(module: nn.Module) -> list[inspect.Parameter]:
    return [
        one
        for one in signature_of(module).parameters.values()
        if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL) and _is_free(one)
    ]


def _is_free(parameter: inspect.Parameter) -> bool:
    return parameter.name not in COUNTERS


def mismatch(module: nn.Module, names: Sequence[str]) -> str:
    """Why names do not fit what is called."""
    known = [one.name for one in signature_of(module).parameters.values() if _is_free(one)]
    unknown = [name for name in names if name not in known]
    takes = f"{asked(module)} takes {diagnosis.names(known)}"
    if unknown:
        return f"{takes}, and no {diagnosis.names(unknown)}.{diagnosis.nearest(unknown[0], known) or ''}"
    missing = [one.name for one in _required(module) if one.name not in names]
    return f"{takes}; {diagnosis.names(missing)} is missing. Add --input {missing[0]}=SHAPE, a shape without its batch"
