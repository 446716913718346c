"""An evaluation transform as somebody's project has it, and what has to be said besides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """A transform in its library's own words."""

    name: str
    kind: str
    """What it does, in the words of the issue: `letterbox`, `shorter side and crop`, …"""
    make: Callable[[], Any]
    read: dict[str, Any] | None = None
    """How its loader reads files, where that is not `Image.open(path).convert("RGB")`."""
    spec: dict[str, Any] | None = None
    """The steps as its author would type them, where they cannot be read off: a function by hand."""
