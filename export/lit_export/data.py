"""Images as they are stored, with their classes: what scoring and calibration read, before any transform.

The runtime's own image path prepares them, so the score is that of what will run in production.
"""

import importlib
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lit_infer.errors import NotFoundError, UsageError, require
from lit_infer.images import ImageInput

Split = Literal["train", "val"]
CONFIGURATIONS = (".yaml", ".yml")

_STAGES = {"train": "fit", "val": "validate"}
_TRUSTED = "lit_trainer"


@dataclass(frozen=True)
class Stored:
    """A part of a data set, read image by image: (the raw image, its class or its true numbers)."""

    items: Any
    indices: Collection[int]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[tuple[ImageInput, Any]]:
        for index in self.indices:
            image, label = self.items[index]
            yield image, _plain(label)


def _plain(known: Any) -> Any:
    """A class, numbers, or a mask as it is."""
    if isinstance(known, np.ndarray):
        return known
    return tuple(known) if isinstance(known, Sequence) else int(known)


def is_configuration(source: Path) -> bool:
    """Whether a source is a lit-train configuration, by its name; else it is a folder."""
    return source.suffix in CONFIGURATIONS


def stored(config: Path, split: Split, *, trust: Collection[str] = ()) -> Stored:
    """The images of the data module that a lit-train configuration names, in order; nothing is downloaded.

    A class of `lit_trainer` is followed, any other only from a package that `trust` names: importing runs its code.
    """
    described = _described(config)
    module = _instantiate(described, config=config, trust=trust)
    module.setup(_STAGES[split])
    part: Any = getattr(module, f"{split}_set", None)
    if not (hasattr(part, "items") and hasattr(part, "indices") and hasattr(module, "labels")):
        raise UsageError(
            f"{config}: {described['class_path']} does not provide its images without their transform, as an "
            "ImageDataModule of lit_trainer does. Give a folder with one sub-folder per class instead"
        )
    return Stored(part.items, part.indices, tuple(module.labels))


def _described(config: Path) -> dict[str, Any]:
    yaml = require("yaml", extra="export", purpose=f"Reading {config.name}")
    try:
        found: Any = yaml.safe_load(config.read_text())
    except FileNotFoundError:
        raise NotFoundError(f"no file at {config}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{config} cannot be read: {' '.join(str(error).split())}") from None
    data = found.get("data") if isinstance(found, dict) else None
    if not (isinstance(data, dict) and isinstance(data.get("class_path"), str)):
        if isinstance(found, dict) and "names" in found:
            raise UsageError(f"{config} is of a YOLO data set: name its folder, {config.parent}")
        raise UsageError(f"{config} names no data module: expected data: {{class_path: ..., init_args: ...}}")
    return data


def _instantiate(described: dict[str, Any], *, config: Path, trust: Collection[str]) -> Any:
    path = described["class_path"]
    package, (module_name, _, name) = path.partition(".")[0], path.rpartition(".")
    if package != _TRUSTED and package not in trust:
        raise UsageError(
            f"{config} names {path}, outside lit_trainer. If you trust that code, add: --trust-package {package}"
        )
    if package != _TRUSTED and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        cls = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"{config}: {path} cannot be imported: {error}") from None
    try:
        return cls(**described.get("init_args") or {})
    except TypeError as error:
        raise UsageError(f"{config}: {path} does not take these init_args: {error}") from None
