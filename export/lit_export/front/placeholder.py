"""Objects among a checkpoint's values, which are not read: which of them matter, and what stands for them."""

import copy
import re
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from torch import nn

from lit_export.front.plain_values import EnumMember, Foreign
from lit_infer.errors import ArtifactError

Placeholder = Foreign | EnumMember
_TRAINING_CODE = ("torch.optim.", "torch.nn.modules.loss.", "torchmetrics.")
_OPTIMIZER = re.compile(r"(.*_)?(optim|optimi[sz]ers?|lr_?schedulers?|schedulers?)(_.*)?")
_MEASURE = re.compile(r"(.*_)?(loss(es)?|criteri(on|a)|metrics?)(_.*)?")
_FRAMEWORKS = (
    "torch",
    "lightning",
    "pytorch_lightning",
    "lightning_fabric",
    "lightning_utilities",
    "lit_export",
    "copy",
)
"""Packages that look at whatever a module holds, without using it."""


class UnreadError(ArtifactError):
    """An object of the checkpoint is needed, and is not read."""


@dataclass(frozen=True)
class NamedCode(Foreign):
    """A value that names code by its dotted path, which is not followed."""


class Unavailable:
    """Stands for an object among the values that a class is given: any use of it is an error that names it."""

    def __init__(self, found: Placeholder, key: str) -> None:
        self.__dict__.update(_found=found, _key=key)

    def __deepcopy__(self, _: Any) -> "Unavailable":
        return self

    def __repr__(self) -> str:
        return f"<{self._key}: {self._found.path}, not read>"

    @property  # type: ignore[misc] # nobody sets it
    def __class__(self) -> Any:
        if _is_framework():
            return Unavailable
        raise _unread(self._key, self._found)  # isinstance() of the module's own code

    def __getattr__(self, name: str) -> Any:
        if (name.startswith("__") and name.endswith("__")) or _is_framework():
            raise AttributeError(name)
        raise _unread(self._key, self._found)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise _unread(self._key, self._found)

    __call__ = __iter__ = __len__ = __bool__ = __getitem__ = __contains__ = _refuse
    __int__ = __float__ = __index__ = __add__ = __mul__ = __fspath__ = _refuse


class UnavailableModule(nn.Module):
    """The same for a module's hook, which may keep it where a module has its parts."""

    def __init__(self, found: Placeholder, key: str) -> None:
        super().__init__()
        self.__dict__.update(_found=found, _key=key)

    def forward(self, *_: Any, **__: Any) -> Any:
        """An error that names what is not there."""
        raise _unread(self._key, self._found)

    @property  # type: ignore[misc] # nobody sets it
    def __class__(self) -> Any:
        if _is_framework():
            return UnavailableModule
        raise _unread(self._key, self._found)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or _is_framework():
            return super().__getattr__(name)
        raise _unread(self._key, self._found)

    def __getitem__(self, _: Any) -> Any:
        raise _unread(self._key, self._found)


def _is_framework() -> bool:
    """Whether the code that asked is a framework's, two frames above."""
    return str(sys._getframe(2).f_globals.get("__name__")).partition(".")[0] in _FRAMEWORKS


def stand_in(found: Placeholder, key: str) -> Any:
    """What a class is given in the place of an object: any use of it is an UnreadError."""
    is_module = isinstance(found, Foreign) and found.what == "module"
    return UnavailableModule(found, key) if is_module else Unavailable(found, key)


def _unread(key: str, found: Placeholder) -> UnreadError:
    if isinstance(found, NamedCode):
        package = found.path.partition(".")[0]
        return UnreadError(
            f"the module uses {key}, which names code to run ({found.path}). Trust it: --trust-package {package}"
        )
    return UnreadError(
        f"the module uses {key}, an object ({found.path}) that is not read from the file. If you trust the file: "
        "--use-load-from-checkpoint; else build the module yourself: --factory pkg.mod:make"
    )


def mapped(value: Any, leaf: Callable[[Placeholder, str], Any], key: str = "") -> Any:
    """A copy in which each placeholder is what `leaf` makes of it and its dotted key."""
    return _Copy(leaf).at(value, key)


class _Copy:
    def __init__(self, leaf: Callable[[Placeholder, str], Any]) -> None:
        self.leaf = leaf
        self.done: dict[int, Any] = {}

    def at(self, value: Any, key: str) -> Any:
        if isinstance(value, Placeholder):
            return self.leaf(value, key)
        if type(value) is tuple:
            return tuple(self.at(item, f"{key}.{index}") for index, item in enumerate(value))
        if not isinstance(value, dict | list):
            return value
        if id(value) not in self.done:
            own = self.done[id(value)] = copy.copy(value)
            for name, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
                own[name] = self.at(item, f"{key}.{name}" if key else str(name))
        return self.done[id(value)]


def first(value: Any) -> Placeholder | None:
    """The first placeholder in a value."""
    found: list[Placeholder] = []
    mapped(value, lambda item, _: found.append(item))
    return found[0] if found else None


def guarded(value: Any, key: str, leaf: Callable[[Placeholder, str], Any] = stand_in) -> Any:
    """The value with each placeholder as something that cannot be used without notice."""
    return mapped(value, leaf, key)


def only_trains(key: str) -> bool:
    """Whether an argument of that name is for training alone: an optimizer or a scheduler."""
    return _OPTIMIZER.fullmatch(key) is not None


def is_part(key: str, found: Placeholder, weights: Collection[str]) -> bool:
    """Whether an object is a part of the module, with weights of its own; a loss or a metric is none."""
    if found.path.startswith(_TRAINING_CODE) or _MEASURE.fullmatch(key) is not None:
        return False
    return key in weights or (isinstance(found, Foreign) and found.what == "module")
