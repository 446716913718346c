"""What a class needs and a checkpoint does not hold as plain data: all of it in one message, with what gives it."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from lit_export.front import config, training_only
from lit_export.front.arguments import Given
from lit_export.front.checkpoint import Checkpoint
from lit_export.front.placeholder import NamedCode, Placeholder
from lit_export.front.plain_values import Foreign
from lit_export.front.recorded import table
from lit_export.front.signature import Signature

_LISTED = 6
"""How many arguments an example names one by one."""
_LIGHTNINGS = ("_instantiator", "_class_path")
"""Keys that no factory is given."""
_PLAIN = re.compile(r"\b(int|float|str|bool|list|List|tuple|Tuple|dict|Dict|Sequence|Literal|Any|Path)\b")
"""What an annotation says of values that can be written as YAML."""


def missing_pieces(checkpoint: Checkpoint, cls: type, signature: Signature, given: Given) -> str:
    """The message: each piece with what it is, and the shortest ways to give it."""
    parts = {key.partition(".")[0] for key in table(checkpoint.contents, "state_dict")}
    objects = [key for key in given.missing if _is_object(key, given.missing[key], signature, parts)]
    listed = ", ".join(_described(key, given.missing[key], signature) for key in given.missing)
    lines = [
        f"{cls.__qualname__} needs {listed}, and {checkpoint.where} does not hold {_them(given.missing)} as plain data."
    ]
    if plain := [key for key in given.missing if key not in objects]:
        lines.append(f"Add: {' '.join(f'--hparam {key}=VALUE' for key in plain)}")
    if objects:
        lines += _for_objects(checkpoint, cls, objects, given)
    return "\n".join(lines)


def _described(key: str, found: Placeholder | None, signature: Signature) -> str:
    if isinstance(found, NamedCode):
        return f"{key} (it names code to run: {found.path})"
    kind = _told(found) if found else signature.kind(key)
    return f"{key} ({kind})" if kind else key


def _told(found: Placeholder) -> str:
    forms = {"name": "{} itself", "partial": "functools.partial of {}"}
    return forms.get(found.what, "{}").format(found.path) if isinstance(found, Foreign) else str(found)


def _is_object(key: str, found: Placeholder | None, signature: Signature, parts: set[str]) -> bool:
    """Whether it cannot be given as text: an object in the file, or one that has weights there."""
    if found is not None or key in parts:
        return True
    kind = signature.kind(key)
    return training_only.is_named(key) if kind is None else _PLAIN.search(kind) is None


def _for_objects(checkpoint: Checkpoint, cls: type, objects: list[str], given: Given) -> list[str]:
    """The ways to give what is not text, the shortest first."""
    placeholders = [given.missing[key] for key in objects]
    left = config.beside(checkpoint.path)
    lines = [f"{', '.join(objects)} cannot be given as text. One of these gives {_them(objects)}:"]
    if packages := dict.fromkeys(_package(found) for found in placeholders if isinstance(found, NamedCode)):
        trust = " ".join(f"--trust-package {package}" for package in packages)
        lines.append(f"  {trust}  (then what it names is run)")
    about = "left by the training" if left else "LightningCLI's saved config.yaml, or Hydra's .hydra/config.yaml"
    lines.append(f"  --config {left or 'FILE'}  ({about})")
    if hasattr(cls, "load_from_checkpoint") and None not in placeholders:
        lines.append("  --use-load-from-checkpoint  (only if you trust the file: it runs what the file names)")
    lines.append("  --factory make:module  with a file make.py like this:")
    return lines + [f"    {line}" for line in example(cls, given, checkpoint.hparams)]


def _package(found: Placeholder) -> str:
    return found.path.partition(".")[0]


def _them(items: Collection[str]) -> str:
    return "it" if len(items) == 1 else "them"


def example(cls: type, given: Given, recorded: Mapping[str, Any]) -> list[str]:
    """Three lines of a function that builds the module; the dots are the user's to fill."""
    held = [key for key, value in recorded.items() if not isinstance(value, Placeholder) and key not in _LIGHTNINGS]
    plain = [key for key in given.arguments if key in held]
    values = [f"{key}=..." for key in given.missing] + [f"{key}=None" for key in given.arguments if key not in plain]
    others = [key for key in held if key not in plain]  # which the class does not take
    if len(plain) > _LISTED >= len(others):
        takes, values = ", ".join([*others, "**hparams"]), [*values, "**hparams"]
    else:
        takes, values = ", ".join(plain), values + [f"{key}={key}" for key in plain]
    return [
        f"from {cls.__module__} import {cls.__qualname__.partition('.')[0]}",
        f"def module({takes}):",
        f"    return {cls.__qualname__}({', '.join(values)})",
    ]
