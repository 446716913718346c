"""What an export of a checkpoint will need, and the command line to try, as far as the file itself tells."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_export.formats import STANDARD
from lit_export.front import outline
from lit_export.front.diagnosis import names
from lit_export.front.plain_values import EnumMember, Foreign

_OURS = "lit_trainer."
_PLACEHOLDER = "pkg.mod:Cls"
_CONFIGS = (".hydra/config.yaml", "config.yaml")
"""What Hydra and LightningCLI write beside their runs."""


def objects(hparams: Mapping[str, Any]) -> dict[str, Foreign | EnumMember]:
    """The first object at or below each hyperparameter that has one."""
    found: dict[str, Foreign | EnumMember] = {}
    for key, value in hparams.items():
        inner = (held for _, held in outline.walk(value) if isinstance(held, Foreign | EnumMember))
        if (first := next(inner, None)) is not None:
            found[key] = first
    return found


def class_path(contents: Mapping[Any, Any], hparams: Mapping[str, Any]) -> str | None:
    """The class that the checkpoint names: for LightningCLI, or for lit-train, whose record the caller asks first."""
    recorded = hparams.get("class_path"), hparams.get("_class_path"), contents.get("class_path")
    return next((path for path in recorded if isinstance(path, str) and _is_path(path)), None)


def _is_path(text: str) -> bool:
    return "." in text and len(text) < 300 and all(part.isidentifier() for part in text.split("."))


def configs_near(path: Path) -> Iterator[Path]:
    """The configurations that a run has left near its checkpoint: beside it, or up to three folders above."""
    for folder in list(path.absolute().parents)[:4]:
        yield from (folder / name for name in _CONFIGS if (folder / name).is_file())


def config_near(path: Path) -> Path | None:
    """The nearest of them, as one would type it."""
    return next((Path(os.path.relpath(file)) for file in configs_near(path)), None)


def named_code(hparams: Mapping[str, Any]) -> list[str]:
    """The classes that hyperparameters name for the module to build, as LightningCLI and Hydra write them."""
    below = {key: value for key, value in hparams.items() if key not in ("class_path", "_class_path", "_instantiator")}
    tables = (value for _, value in outline.walk(below) if isinstance(value, dict))
    found = (table.get(key) for table in tables for key in ("class_path", "_target_"))
    return sorted({path for path in found if isinstance(path, str) and _is_path(path)})


def needed(
    named: str | None, found: Mapping[str, Foreign | EnumMember], code: Sequence[str], *, config: Path | None
) -> list[str]:
    """What must be given beside the file, a line each."""
    lines = [] if named or found else ["its class: --class pkg.mod:Cls"]
    if code:
        lines.append(f"trust in what its hparams name ({names(code)}): {_trust(code)}")
    if found:
        file = str(config) if config else "FILE, as LightningCLI or Hydra saved it"
        lines += [f"{key}, {value}: an object, which is not made from the file" for key, value in found.items()]
        lines.append(f"objects come with the whole module: --config {file}")
        lines.append("or --factory pkg.mod:make, a function of yours that returns the module")
    return lines


def command(
    source: Sequence[str], named: str | None, found: Mapping[str, Any], code: Sequence[str], *, config: Path | None
) -> str:
    """The command line to try; what only the user knows is in capitals, or `pkg.mod:...`."""
    words = ["lit-export", STANDARD, *source]
    if config is not None and (found or not named):
        return shlex.join([*words, "--config", str(config)])
    if found:
        return shlex.join([*words, "--factory", "pkg.mod:make"])
    if named is None or not named.startswith(_OURS):
        module, _, name = (named or "").rpartition(".")
        words += ["--class", f"{module}:{name}" if named else _PLACEHOLDER]
    return shlex.join(words) + (f" {_trust(code)}" if code else "")


def _trust(code: Sequence[str]) -> str:
    return " ".join(f"--trust-package {package}" for package in sorted({path.partition(".")[0] for path in code}))
