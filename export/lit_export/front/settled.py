"""The second half of reading: what was objects while the pickle was followed becomes plain values or placeholders."""

import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from lit_export.front import omega, plain_arrays
from lit_export.front.plain_values import (
    Budget,
    EnumMember,
    Foreign,
    Instance,
    Named,
    NotPlainError,
    TensorOutline,
    TooMuchError,
    TorchValue,
    is_constant,
)

_DEPTH = 100


def replaced(value: Any, leaf: Callable[[Any, Callable[[Any], Any]], Any]) -> Any:
    """The same value with each leaf replaced: in place in dicts and lists, so that what was shared still is.

    `leaf` gets what is no container, and how to go on below it. Raises TooMuchError for what is nested without end.
    """
    return _Walk(leaf).at(value, 0)


class _Walk:
    def __init__(self, leaf: Callable[[Any, Callable[[Any], Any]], Any]) -> None:
        self.leaf = leaf
        self.done: dict[int, tuple[Any, Any]] = {}
        """By id: what was there, kept so that its id stays its own, and what it became."""

    def at(self, value: Any, depth: int) -> Any:
        if isinstance(value, str | int | float | bytes | None) and type(value).__module__ == "builtins":
            return value
        if depth > _DEPTH:
            raise TooMuchError(f"values nested more than {_DEPTH} deep")
        if (known := self.done.get(id(value))) is not None:
            return known[1]
        if isinstance(value, dict | list | deque):
            self.done[id(value)] = (value, value)
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                value[key] = self.at(inner, depth + 1)
            return value
        if isinstance(value, Instance):
            self.done[id(value)] = (value, Foreign(value.path))  # what it holds may lead back to it
        found = self._tuple(value, depth) if type(value) is tuple else self.leaf(value, lambda v: self.at(v, depth + 1))
        self.done[id(value)] = (value, found)
        return found

    def _tuple(self, value: tuple[Any, ...], depth: int) -> tuple[Any, ...]:
        inner = tuple([self.at(item, depth + 1) for item in value])
        return value if all(a is b for a, b in zip(inner, value, strict=True)) else inner


def settled(contents: Any, budget: Budget) -> Any:
    """Contents without any Instance or Named."""
    configs: dict[int, Any] = {}

    def leaf(value: Any, below: Callable[[Any], Any]) -> Any:
        if isinstance(value, Named):
            return TorchValue("constant", value.path) if is_constant(value.path) else Foreign(value.path, "name")
        if isinstance(value, TensorOutline) and value.form == "array":
            return _of_array(value, below)
        if isinstance(value, np.ndarray) and value.dtype.hasobject:
            return _of_objects(value, below)
        if omega.is_config(value):
            return _of_config(value, below, configs)
        return _of_instance(value, below, budget) if isinstance(value, Instance) else value

    return replaced(contents, leaf)


def _of_array(value: TensorOutline, below: Callable[[Any], Any]) -> Any:
    found = below(value.parts[0])
    if not isinstance(found, np.ndarray) or found.dtype.hasobject:
        return Foreign("torch.Tensor")
    return TensorOutline(value.kind, found.shape, None, form="array", parts=(found,))


def _of_objects(value: "np.ndarray[Any, Any]", below: Callable[[Any], Any]) -> "np.ndarray[Any, Any]":
    for index, inner in enumerate(flat := value.ravel("K")):
        flat[index] = below(inner)
    return value


def _of_config(value: Instance, below: Callable[[Any], Any], configs: dict[int, Any]) -> Any:
    held = omega.unwrapped(value)
    if not (value.path in omega.PATHS and isinstance(held, dict | list)):
        return Foreign(value.path) if omega.is_config(held) else below(held)
    if id(value) not in configs:
        configs.update(omega.plain_root(omega.root_of(value)))
    return below(configs[id(value)]) if id(value) in configs else Foreign(value.path)


def _of_instance(value: Instance, below: Callable[[Any], Any], budget: Budget) -> Any:
    try:
        found = _of_data(value, budget)
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        if isinstance(error, NotPlainError):
            raise
        return Foreign(value.path)
    if found is not None:
        return below(found)
    if value.path == "functools.partial":
        return _of_partial(value)
    if value.is_member():
        return EnumMember(value.path, value.arguments[0])
    return Foreign(value.path, "module" if holds_weights(value) else "object")


def _of_data(value: Instance, budget: Budget) -> Any:
    """Those that are data and were pickled as a state of an empty object; None for any other."""
    if value.path in plain_arrays.ARRAY:
        return plain_arrays.array(budget, value)
    if value.path == "numpy.dtype":
        return plain_arrays.dtype(value)
    return uuid.UUID(int=value.attributes()["int"]) if value.path == "uuid.UUID" else None


def _of_partial(value: Instance) -> Foreign:
    function = value.state[0] if isinstance(value.state, tuple) and value.state else None
    return Foreign(function.path, "partial") if isinstance(function, Named | Instance) else Foreign(value.path)


def holds_weights(value: Instance) -> bool:
    """Whether an object is an nn.Module, by what it was pickled with."""
    return {"_parameters", "_buffers", "_modules"} <= set(value.attributes())
