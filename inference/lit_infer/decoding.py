"""What is wrong with data that does not fit its struct, and what would fit: msgspec's message, and the choices."""

import re
from typing import Any

import msgspec
from msgspec import inspect

_WHERE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")
_PART = re.compile(r"(?P<name>[A-Za-z_]\w*)|\[(?P<index>\.{3}|\d+)\]")


def explained(error: Exception, to: Any) -> str:
    """The error's message; where a name or a value is not one of those that there are, with these."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError) or "; there " in text:  # explained already, further inside
        return text
    found = _WHERE.search(text)
    kinds = _at(inspect.type_info(to), found["path"] if found else "")
    if "Invalid enum value" in text:
        choices = [str(value) for kind in kinds if isinstance(kind, inspect.LiteralType) for value in kind.values]
    elif "unknown field" in text:
        choices = [field.name for kind in kinds if isinstance(kind, inspect.StructType) for field in kind.fields]
    else:
        return text
    return f"{text}; there {'is' if len(choices) == 1 else 'are'} {', '.join(choices)}" if choices else text


def _at(kind: inspect.Type, path: str) -> list[inspect.Type]:
    """The types that data may have at a path such as `preprocess[0].resize`."""
    kinds = _members(kind)
    for part in _PART.finditer(path):
        name = part["name"]
        kinds = [inner for one in kinds for step in _inside(one, name) for inner in _members(step)]
    return kinds


def _members(kind: inspect.Type) -> list[inspect.Type]:
    return list(kind.types) if isinstance(kind, inspect.UnionType) else [kind]


def _inside(kind: inspect.Type, name: str | None) -> list[inspect.Type]:
    """A struct's field of that name; without a name, the items of a list."""
    if name is None:
        return [kind.item_type] if isinstance(kind, inspect.ListType | inspect.VarTupleType) else []
    if isinstance(kind, inspect.StructType):
        return [field.type for field in kind.fields if field.name == name]
    return []
