"""What a version's score is, wherever it was written down."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lit_infer.artifacts.registry import Version
from lit_infer.manifest import Score


def recorded(version: Version) -> Score | None:
    """The score in a version's metadata, if it says of what: as lit-train, lit-export or W&B's logger write it."""
    value: Any = version.metadata.get("score")
    settings: Any = version.metadata.get("ModelCheckpoint", version.metadata)
    if isinstance(value, Mapping):
        value, settings = value.get("value"), value
    if not isinstance(settings, Mapping):
        return None
    try:
        return msgspec.convert(
            {"monitor": settings.get("monitor"), "mode": settings.get("mode"), "value": value}, type=Score
        )
    except (msgspec.ValidationError, ValueError):  # no score, one without its metric, or one that is not finite
        return None


def shown(version: Version) -> str:
    """For a table: `val_acc 0.9812`."""
    if found := recorded(version):
        return text(found)
    value: Any = version.metadata.get("score")
    return f"{value:.6g}" if isinstance(value, int | float) else ""


def text(score: Score) -> str:
    """`val_acc 0.9812`."""
    return f"{score.monitor} {score.value:.6g}"


def is_better(score: Score, than: Score) -> bool:
    """Whether a score beats another of the same metric; an equal one does not."""
    return score.value < than.value if score.mode == "min" else score.value > than.value
