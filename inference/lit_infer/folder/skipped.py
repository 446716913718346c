"""What a search has left out, counted by suffix, in memory that does not grow with the number of files."""

import os
from collections.abc import Mapping

from lit_infer.folder import remarks

_KINDS = 50  # different suffixes; more are counted together
_OTHERS = "others"


class Skipped:
    """A count of files that are not images. Hidden ones are not counted: nobody expects them to be looked at."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, name: str) -> None:
        """Count one file."""
        suffix = os.path.splitext(name)[1].lower() or remarks.NO_SUFFIX
        if suffix not in self._counts and len(self._counts) >= _KINDS:
            suffix = _OTHERS
        self._counts[suffix] = self._counts.get(suffix, 0) + 1

    def clear(self) -> None:
        """Start over."""
        self._counts.clear()

    def counts(self) -> Mapping[str, int]:
        """By suffix, the most frequent first."""
        return dict(sorted(self._counts.items(), key=lambda one: (-one[1], one[0])))


def is_hidden(name: str) -> bool:
    """Whether a path within an archive has a hidden part, or is what macOS adds to an archive."""
    parts = name.split("/")
    return "__MACOSX" in parts or any(part.startswith(".") and part not in {".", ".."} for part in parts)
