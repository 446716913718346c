"""A module's attributes as they were when it was loaded.

A call may leave something in them: a mask for the size of this batch, and the size that it is for. An exporter that
comes afterwards would find it there and freeze it, where a module that was never called makes it anew. Hooks that a
call has left go too: a module that no longer knows of them would leave them a second time.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_WEIGHTS = ("_parameters", "_modules")
"""What no call replaces."""


@dataclass(frozen=True)
class LoadedState:
    """The attributes of every part of a module."""

    kept: tuple[tuple[nn.Module, dict[str, Any]], ...]
    buffers: tuple[tuple[str, Tensor, Tensor], ...] = ()
    """By name, with a copy of the values: a call may write to them where they are."""

    @classmethod
    def of(cls, module: nn.Module) -> "LoadedState":
        """As they are now."""
        buffers = tuple((name, buffer, buffer.detach().clone()) for name, buffer in module.named_buffers())
        return cls(tuple((part, _attributes(part)) for part in module.modules()), buffers)

    @property
    def overwritten(self) -> list[str]:
        """The buffers in which calls have left other values."""
        return [name for name, buffer, kept in self.buffers if not _same(buffer, kept)]

    @contextmanager
    def rewound(self) -> Iterator[None]:
        """As `restored`, with the buffers' values."""
        now = [(buffer, buffer.detach().clone()) for _, buffer, kept in self.buffers if not _same(buffer, kept)]
        with self.restored(), torch.no_grad():
            for _, buffer, kept in self.buffers:
                if not _same(buffer, kept):
                    buffer.copy_(kept)
            try:
                yield
            finally:
                for buffer, value in now:
                    buffer.copy_(value)

    @property
    def is_changed(self) -> bool:
        """Whether a call has left something else there."""
        return any(_identities(_attributes(part)) != _identities(kept) for part, kept in self.kept)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """In the block the module is as it was loaded, and afterwards as it is now."""
        now = LoadedState.of(nn.ModuleList(part for part, _ in self.kept))
        self._restore()
        try:
            yield
        finally:
            now._restore()

    def _restore(self) -> None:
        for part, kept in self.kept:
            own = vars(part)
            for name in own.keys() - kept.keys() - set(_WEIGHTS):
                del own[name]
            for name, value in kept.items():
                if isinstance(there := own.get(name), OrderedDict) and isinstance(value, OrderedDict):
                    there.clear()  # hooks: who holds a handle of one holds this very dict
                    there.update(value)
                else:
                    own[name] = _copied(value)


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(torch.equal(one.detach().nan_to_num(), other.nan_to_num()))


def _attributes(part: nn.Module) -> dict[str, Any]:
    return {name: _copied(value) for name, value in vars(part).items() if name not in _WEIGHTS}


def _copied(value: Any) -> Any:
    """Containers are caches too: their own copy, of the same values."""
    return type(value)(value) if type(value) in (dict, OrderedDict, list, set) else value


def _identities(attributes: dict[str, Any]) -> dict[str, Any]:
    """What tells one state from another: which objects are there, and not what they are equal to."""
    return {name: _identity(value) for name, value in attributes.items()}


def _identity(value: Any) -> Any:
    if type(value) in (dict, OrderedDict):
        return [(id(key), id(one)) for key, one in value.items()]
    return [id(one) for one in value] if type(value) in (list, set) else id(value)
