"""Versions of an artifact, as a registry tells them."""

from typing import Any

from lit_infer.artifacts.reference import parse
from lit_infer.artifacts.registry import Version


def version(alias: str = "v0", **changes: Any) -> Version:
    """A version of `local/digits/cnn`; each keyword is one of its facts."""
    facts: dict[str, Any] = {
        "reference": parse(f"local/digits/cnn:{alias}"),
        "type": "model",
        "digest": "0" * 64,
        "aliases": (),
        "parents": (),
        "metadata": {},
        "created": "2026-01-02T03:04:05+00:00",
        "bytes": 1000,
    }
    return Version(**{**facts, **changes})
