"""Dotted paths of code among a checkpoint's hyperparameters: followed only where their package is trusted.

LightningCLI writes an object as `class_path` and `init_args`, Hydra as `_target_`. The classes of `torch.nn` and
`torch.optim` are followed too: they do what their arguments say and nothing else, and importing them runs nothing.
"""

import enum
import functools
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from torch import nn, optim

from lit_export.front.find_class import find_object
from lit_export.front.placeholder import NamedCode, Placeholder, mapped
from lit_export.front.plain_values import EnumMember
from lit_export.user_code import user_code

_KEYS = ("class_path", "_target_")
_FUNCTIONS = ("torch.nn.functional", "torch._C._nn")
_TORCH = ("torch.nn.modules.", "torch.optim.")
_KINDS = (nn.Module, optim.Optimizer, optim.lr_scheduler.LRScheduler)


def is_trusted(path: str, packages: Sequence[str]) -> bool:
    """Whether a dotted path is inside one of these packages."""
    return any(path.startswith(f"{package}.") for package in packages if package)


def named(value: Any, trust: Sequence[str]) -> str | None:
    """The first dotted path below a value that may not be followed."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or not isinstance(found, dict | list | tuple):
            continue
        seen.add(id(found))
        if not isinstance(found, dict):
            waiting += found
            continue
        waiting += found.values()
        for path in (found.get(key) for key in _KEYS):
            if path is not None and not (isinstance(path, str) and (is_trusted(path, trust) or _of_torch(path))):
                return str(path)[:80] if isinstance(path, str) else type(path).__name__
    return None


def read(value: Any, annotation: Any, trust: Sequence[str], *, made: bool) -> Any:
    """A recorded value for an argument: a placeholder where it is an object or names code that may not be followed.

    `made`: LightningCLI wrote it, so that what it describes is made, and text becomes what the annotation says.
    """
    if (path := named(value, trust)) is not None:
        return NamedCode(path)
    value = mapped(value, lambda found, _: known(found, annotation, trust))
    return built(value, annotation) if made else value


def known(found: Placeholder, annotation: Any, trust: Sequence[str]) -> Any:
    """What a placeholder names, where that is known without importing anything that is not trusted; else itself.

    An enum's member, if its class is imported or is what the argument is annotated as; a class or function of
    `torch.nn` or `torch.optim`, or of a trusted package.
    """
    if isinstance(found, EnumMember):
        return _member(found, annotation)
    if isinstance(found, NamedCode) or found.what != "name":
        return found
    if is_trusted(found.path, trust):
        return find_object(found.path, option="--trust-package")
    module, _, name = found.path.rpartition(".")
    if module in _FUNCTIONS:
        function = getattr(sys.modules.get(module), name, found)
        return found if isinstance(function, types.ModuleType) else function
    return _of_torch(found.path) or found


def _member(found: EnumMember, annotation: Any) -> Any:
    module, _, name = found.path.rpartition(".")
    for kind in (getattr(sys.modules.get(module), name, None), annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, enum.Enum) and kind.__qualname__ == name:
            of = {item.value if found.name is None else item.name: item for item in kind.__members__.values()}
            return of.get(found.value if found.name is None else found.name, found)
    return found


def built(value: Any, annotation: Any = None) -> Any:
    """A value with each object made that it describes by `class_path`; for a Callable, a function that makes it."""
    if isinstance(value, list | tuple):
        inner = [built(item) for item in value]
        return tuple(inner) if _is(annotation, tuple) or isinstance(value, tuple) else inner
    if isinstance(value, dict) and isinstance(value.get("class_path"), str):
        return _object(value, annotation)
    if isinstance(value, dict):
        return {key: built(item) for key, item in value.items()}
    return _typed(value, annotation) if isinstance(value, str) else value


def _object(described: Mapping[str, Any], annotation: Any) -> Any:
    path = described["class_path"]
    cls = _of_torch(path) or find_object(path, option="class_path")
    arguments = {**(described.get("init_args") or {}), **(described.get("dict_kwargs") or {})}
    given = {key: built(value) for key, value in arguments.items()}
    if _is(annotation, Callable):
        return functools.partial(cls, **given)
    with user_code(path):
        return cls(**given)


def _typed(text: str, annotation: Any) -> Any:
    """Text as what an argument takes: an enum's member by its name, a path."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, enum.Enum) and text in kind.__members__:
            return kind[text]
        if isinstance(kind, type) and issubclass(kind, Path):
            return kind(text)
    return text


def _is(annotation: Any, kind: Any) -> bool:
    """Whether an annotation is of a kind, alone or in a union."""
    wanted = get_origin(kind) or kind
    options = (
        get_args(annotation)
        if isinstance(annotation, types.UnionType) or "Union" in str(get_origin(annotation))
        else (annotation,)
    )
    return any((get_origin(option) or option) in (wanted, getattr(wanted, "__origin__", wanted)) for option in options)


def _of_torch(path: str) -> type | None:
    """torch's own class of that name, looked up among what is imported already."""
    module, _, name = path.rpartition(".")
    found = getattr(sys.modules.get(module), name, None) if module.startswith(("torch.nn", "torch.optim")) else None
    known = isinstance(found, type) and issubclass(found, _KINDS) and found.__module__.startswith(_TORCH)
    return found if known else None
