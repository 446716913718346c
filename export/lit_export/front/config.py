"""Build what the user's own configuration file describes: LightningCLI's saved `config.yaml`, or Hydra's.

The file is given on the command line, so it may run code; a checkpoint never chooses it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from lit_export.front import cli_config, hydra_config, yaml_text
from lit_export.front.advice import configs_near
from lit_infer.errors import UsageError

WHOLE = "."
"""The key that stands for the whole file."""
_MODEL, _DATA = ("model",), ("data", "datamodule")


def module_of(
    path: Path,
    *,
    key: str | None = None,
    cls: type | None = None,
    hparams: Mapping[str, Any] = {},
    recorded: Mapping[str, Any] = {},
) -> nn.Module:
    """The module that a file describes below `key`, by default `model`.

    `cls` goes over the class that the file names, and `hparams` over its values; `recorded` fills what LightningCLI
    linked from the data and therefore did not save.
    """
    built = _built(path, (key,) if key else _MODEL, cls=cls, hparams=hparams, recorded=recorded)
    if not isinstance(built, nn.Module):
        raise UsageError(
            f"--config {path}: {key or _MODEL[0]} describes a {type(built).__name__}, not a module. "
            "Say where the module is: --config-key KEY"
        )
    return built


def data_module_of(path: Path, *, key: str | None = None, cls: type | None = None) -> Any:
    """The LightningDataModule that a file describes, by default below `data` or `datamodule`; None if it has none."""
    names = (key,) if key else _DATA
    if not any(_select(yaml_text.read(path, option="--config"), name) for name in names):
        return None
    return _built(path, names, cls=cls)


def beside(path: Path) -> Path | None:
    """The configuration that training left near a checkpoint, and that describes a module."""
    return next((_short(file) for file in configs_near(path) if _describes_a_module(file)), None)


def _built(
    path: Path,
    names: tuple[str, ...],
    *,
    cls: type | None = None,
    hparams: Mapping[str, Any] = {},
    recorded: Mapping[str, Any] = {},
) -> Any:
    contents = yaml_text.read(path, option="--config")
    if not isinstance(contents, dict):
        raise UsageError(f"--config {path}: expected the configuration of a training, such as model: ...")
    key = next((name for name in names if _select(contents, name) is not None), None)
    if key is None:
        tops = ", ".join(map(str, list(contents)[:8])) or "nothing"
        raise UsageError(f"--config {path} has no {' or '.join(names)}; it has {tops}. Say where: --config-key KEY")
    if hydra_config.is_hydra(path, contents):
        return hydra_config.built(path, key, cls=cls, hparams=hparams)
    return cli_config.built(path, key, _select(contents, key), cls=cls, hparams=hparams, recorded=recorded)


def _select(contents: Any, key: str) -> Any:
    """The value at a dotted key; a run by subcommand may have all below `fit`."""
    if not isinstance(contents, dict):
        return None
    found: Any = contents
    for part in key.split(".") if key != WHOLE else ():
        found = found.get(part) if isinstance(found, dict) else None
    return found if found is not None or "fit" not in contents else _select(contents["fit"], key)


def _describes_a_module(path: Path) -> bool:
    try:
        return isinstance(_select(yaml_text.read(path, option="--config"), _MODEL[0]), dict)
    except UsageError:
        return False


def _short(path: Path) -> Path:
    """Relative to the current folder where it is below it, as one would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
