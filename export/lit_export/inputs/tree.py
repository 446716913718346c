"""Nested arguments and answers: what is in them, by name, and the same structure with other things in its place."""

import argparse
import copy
import dataclasses
import re
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of all that is no container, in order."""
    parts = _parts(tree)
    if parts is None:
        yield name, tree
        return
    for key, part in parts:
        yield from leaves(part, joined(name, key))


def mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    """The same structure, each leaf changed; the original stays as it is."""
    parts = _parts(tree)
    if parts is None:
        return change(tree)
    return _rebuilt(tree, [(key, mapped(part, change)) for key, part in parts])


def is_container(tree: Any) -> bool:
    """Whether there are parts in it."""
    return _parts(tree) is not None


def joined(name: str, key: object) -> str:
    """The name of a part: letters, digits and underscores, as graphs take them."""
    return re.sub(r"\W", "_", f"{name}_{key}" if name else str(key))


def unique(names: list[str], taken: tuple[str, ...] = ()) -> list[str]:
    """The names, with a number after those that came before."""
    seen, found = set(taken), []
    for name in names:
        count = 1
        new = name
        while new in seen:
            count += 1
            new = f"{name}_{count}"
        seen.add(new)
        found.append(new)
    return found


def _parts(tree: Any) -> list[tuple[Any, Any]] | None:
    """Keys and parts of a container; None for all else."""
    if isinstance(tree, Mapping):  # also the ModelOutput and BatchEncoding of transformers
        return list(tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return list(zip(tree._fields, tree, strict=True))
    if isinstance(tree, tuple | list):
        return list(enumerate(tree))
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return [(field.name, getattr(tree, field.name)) for field in dataclasses.fields(tree)]
    if isinstance(tree, types.SimpleNamespace | argparse.Namespace):
        return list(vars(tree).items())
    return None


def _rebuilt(tree: Any, parts: list[tuple[Any, Any]]) -> Any:
    """A container of the same type that holds these parts. No `__init__` is called: it may do anything."""
    if isinstance(tree, types.MappingProxyType) or type(tree) is dict:  # an exporter cannot read dict.copy
        return dict(parts)
    if isinstance(tree, tuple | list):
        values = [part for _, part in parts]
        return type(tree)(*values) if hasattr(tree, "_fields") else type(tree)(values)
    new = copy.copy(tree)
    for key, part in parts:
        if isinstance(tree, Mapping):
            new[key] = part
        else:
            object.__setattr__(new, key, part)
    return new
