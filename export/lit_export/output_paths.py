"""Where in what a module answers a tensor is: `pred_boxes`, `0`, `0.logits`, `heads.species.logits`."""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from lit_infer.errors import UsageError

_TOLD = 12
"""Outputs that an error lists."""
_PLACE = "output_"
"""What places in a tuple are called in messages and graphs: `output_0` is `0`."""


def at(output: Any, path: str) -> Any:
    """What is at a path: keys of dicts, attributes, places in tuples and lists. The empty one is all of it.

    Raises UsageError where there is nothing of that name, with all that the module answers.
    """
    found = output
    rest = path
    while rest:
        step, found = _step(found, rest, whole=output, path=path)
        rest = rest[len(step) + 1 :]
    return found


def tensor_at(output: Any, path: str) -> Tensor:
    """The tensor at a path. Raises UsageError where there is none."""
    found = at(output, path)
    if isinstance(found, Tensor):
        return found
    where = f"{path} is {_article(found)}, not a tensor" if path else "several outputs are answered: say which"
    raise UsageError(f"outputs: {where}. The module answers {told(output)}")


def listed(output: Any, path: str) -> str:
    """A path as messages name it: places in a tuple are `output_0`, `output_1`."""
    is_plain = isinstance(output, tuple | list) and not hasattr(output, "_fields")
    return f"{_PLACE}{path}" if is_plain and path.isdigit() else path


def told(output: Any) -> str:
    """What a module answers, each tensor with its path and shape."""
    found = [f"{path or 'one tensor'} {list(tensor.shape)}" for path, tensor in paths(output)]
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return f"{', '.join(found[:_TOLD])}{more}" if found else f"{_article(output)} without tensors"


def paths(output: Any, before: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors with their paths, in order."""
    if isinstance(output, Tensor):
        yield before, output
        return
    for name, part in _parts(output).items():
        yield from paths(part, f"{before}.{name}" if before else name)


def _step(found: Any, rest: str, *, whole: Any, path: str) -> tuple[str, Any]:
    """The longest beginning of `rest` that is a name here, since keys may have dots; and what it names."""
    parts = _parts(found)
    words = rest.split(".")
    for count in range(len(words), 0, -1):
        name = ".".join(words[:count])
        key = name.removeprefix(_PLACE) if isinstance(found, tuple | list) else name
        if key in parts:
            return name, parts[key]
    if not isinstance(found, Tensor | Mapping | list | tuple) and hasattr(found, words[0]):
        return words[0], getattr(found, words[0])  # a property, or an attribute of the class
    near = difflib.get_close_matches(path, [one for one, _ in paths(whole)], n=1)
    guess = f" (is {near[0]} meant?)" if near else ""
    raise UsageError(f"outputs: the module answers nothing called {path}{guess}; it answers {told(whole)}")


def _parts(found: Any) -> dict[str, Any]:
    """What is in a container, by name; empty for what is none."""
    if isinstance(found, Mapping):
        return {str(key): part for key, part in found.items()}
    if isinstance(found, tuple) and hasattr(found, "_fields"):
        return dict(zip(found._fields, found, strict=True))
    if isinstance(found, tuple | list):
        return {str(place): part for place, part in enumerate(found)}
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        return {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    if isinstance(found, Tensor) or not hasattr(found, "__dict__") or isinstance(found, type):
        return {}
    return {name: part for name, part in vars(found).items() if isinstance(part, Tensor)}


def _article(found: Any) -> str:
    name = type(found).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
