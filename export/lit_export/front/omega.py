"""OmegaConf's containers as plain dicts and lists, from the state that they are pickled with.

Interpolations are followed within bounds: few lookups, short text.
"""

import re
from collections.abc import Iterable
from typing import Any

from lit_export.front.plain_values import AttributeDict, Instance

PATHS = frozenset(("omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig"))
_WHOLE = re.compile(r"\$\{(\.*)([\w.\-/]*)\}")
_STEPS, _LONGEST, _LOOKED_UP = 20, 4096, 10_000


def is_config(value: Any) -> bool:
    """Whether it is one of OmegaConf's containers or nodes."""
    return isinstance(value, Instance) and value.path.startswith("omegaconf.")


def root_of(found: Instance) -> Instance:
    """The configuration that this is a part of: its interpolations begin there."""
    for _ in range(100):
        parent = found.attributes().get("_parent")
        if not (isinstance(parent, Instance) and is_config(parent)):
            break
        found = parent
    return found


def unwrapped(value: Any) -> Any:
    """What a container or node holds: a dict or list of further ones, or a value."""
    for _ in range(_STEPS):
        if not is_config(value):
            return value
        state = value.attributes()
        value = next((state[key] for key in ("_content", "content", "_val", "val") if key in state), None)
    return value


def plain_root(root: Instance) -> dict[int, Any]:
    """Every container of a configuration as a plain one, by the id of the Instance it was; interpolations followed."""
    made: dict[int, Any] = {}
    top = _container(root, made)
    waiting = [(root, top)]
    while waiting:
        found, target = waiting.pop()
        inner = unwrapped(found)
        for key, value in inner.items() if isinstance(inner, dict) else enumerate(inner or ()):
            held = unwrapped(value)
            is_new = is_config(value) and isinstance(held, dict | list) and id(value) not in made
            plain = _container(value, made) if is_config(value) and isinstance(held, dict | list) else held
            if isinstance(target, dict):
                target[key] = plain
            else:
                target.append(plain)
            if is_new:
                waiting.append((value, plain))
    _Interpolations(top).follow(made.values())
    return made


def _container(found: Instance, made: dict[int, Any]) -> Any:
    if id(found) not in made:
        made[id(found)] = AttributeDict() if isinstance(unwrapped(found), dict) else []
    return made[id(found)]


class _Interpolations:
    """Puts what each interpolation means in its place; one that means nothing here stays as text."""

    def __init__(self, top: Any) -> None:
        self.top, self.left = top, _LOOKED_UP

    def follow(self, containers: Iterable[Any]) -> None:
        for target in containers:
            for key, value in list(target.items() if isinstance(target, dict) else enumerate(target)):
                target[key] = self.resolved(value, target, _STEPS)

    def resolved(self, value: Any, near: Any, steps: int) -> Any:
        """`${a.b}` from the top, `${.b}` from the container that it stands in, and text with such parts."""
        if not (isinstance(value, str) and "${" in value and len(value) < _LONGEST) or not steps:
            return value
        if (whole := _WHOLE.fullmatch(value)) is not None:
            return self.resolved(self._meant(whole, near), near, steps - 1)
        text = value
        for part in list(_WHOLE.finditer(value))[:_STEPS]:
            found = self.resolved(part[0], near, steps - 1)
            if not isinstance(found, str | int | float):
                return value
            text = text.replace(part[0], str(found), 1) if found != part[0] else text
            if len(text) > _LONGEST:
                return value
        return text

    def _meant(self, found: "re.Match[str]", near: Any) -> Any:
        self.left -= 1
        if self.left < 0 or len(found[1]) > 1:  # those of containers above are left as text
            return found[0]
        return _at(near if found[1] else self.top, found[2], found[0])


def _at(found: Any, path: str, default: Any) -> Any:
    for part in path.split("."):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part[:9]) < len(found):
            found = found[int(part[:9])]
        else:
            return default
    return found
