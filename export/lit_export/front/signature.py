"""What a class or a function takes."""

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

_NAMES = "hparams hparam hyper_parameters hyperparameters config configs cfg conf args params opt opts options"
_WHOLE = frozenset(_NAMES.split(" "))
"""Names under which people take all hyperparameters as one object."""
_TYPES = "dict Dict Namespace DictConfig AttributeDict Mapping MutableMapping Munch"
_CONTAINERS = frozenset(_TYPES.split(" "))


@dataclass(frozen=True)
class Signature:
    """The arguments of a class's `__init__`, or of a function."""

    name: str
    known: Mapping[str, inspect.Parameter]
    """Those that can be given by name; of a class that passes `**kwargs` on, its parents' too."""
    own: Collection[str]
    """Those of the class itself."""
    anything: bool
    """Whether it takes others too (`**kwargs`)."""
    hints: Mapping[str, Any]
    """The annotations, where they can be resolved."""

    @classmethod
    def of(cls, make: Callable[..., Any]) -> "Signature":
        """What a class, or any callable, takes."""
        own = _taken(make)
        known, anything = _named(own), _takes_anything(own)
        parents = inspect.getmro(make)[1:] if isinstance(make, type) else ()
        for parent in parents if anything else ():
            if "__init__" in vars(parent) and not _is_framework(parent):
                known = {**_named(_taken(parent)), **known}
                if not _takes_anything(_taken(parent)):
                    break
        return cls(getattr(make, "__qualname__", type(make).__qualname__), known, _named(own), anything, _hints(make))

    @property
    def required(self) -> list[str]:
        """Those without a default."""
        return [key for key, item in self.known.items() if item.default is item.empty]

    def annotation(self, key: str) -> Any:
        """What an argument is annotated as; None where it is not."""
        if (item := self.known.get(key)) is None:
            return None
        found = self.hints.get(key, item.annotation)
        return None if found is inspect.Parameter.empty else found

    def kind(self, key: str) -> str | None:
        """The annotation as text, without the modules of its names."""
        found = self.annotation(key)
        return None if found is None else inspect.formatannotation(found)

    def whole(self, recorded: Mapping[str, Any]) -> str | None:
        """The argument that takes all hyperparameters as one object, where they are not recorded below its name."""
        asked = [key for key in self.required if key not in recorded]
        asked = asked or [key for key in self.own if len(self.own) == 1 and key not in recorded]
        candidates = [key for key in asked if self._takes_all(key)]
        return candidates[0] if recorded and len(candidates) == 1 else None

    def _takes_all(self, key: str) -> bool:
        """Whether an argument looks like one for all hyperparameters: by its annotation, or by its name alone."""
        kind = _last_name(self.kind(key))
        return kind in _CONTAINERS or (key in _WHOLE and kind in ("", "Any", "object"))


def _taken(make: Callable[..., Any]) -> list[inspect.Parameter]:
    made: Any = make.__init__ if isinstance(make, type) else make  # type: ignore[misc] # of the class itself
    return list(inspect.signature(made).parameters.values())[1 if isinstance(make, type) else 0 :]


def _named(taken: list[inspect.Parameter]) -> dict[str, inspect.Parameter]:
    return {item.name: item for item in taken if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)}


def _takes_anything(taken: list[inspect.Parameter]) -> bool:
    return any(item.kind is item.VAR_KEYWORD for item in taken)


def _is_framework(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in (
        "torch",
        "lightning",
        "pytorch_lightning",
        "lightning_fabric",
        "builtins",
    )


def _hints(make: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(make.__init__ if isinstance(make, type) else make)  # type: ignore[misc]
    except Exception:  # a name that only type checkers import
        return {}


def _last_name(annotation: str | None) -> str:
    """`dict` of `dict[str, Any] | None`."""
    return (annotation or "").partition("[")[0].partition("|")[0].strip().strip("'\"").rpartition(".")[2]
