"""Which models a server is asked to serve: `MODEL` or `name=MODEL`, and where each one is now."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lit_infer import artifacts
from lit_infer.artifacts.reference import is_version
from lit_infer.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NAMED = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Source:
    """A model as it was asked for."""

    model: str
    """Bundle folder, graph file or reference."""
    name: str | None = None
    """What clients call it; None: the name in its manifest."""
    number: int = 1
    """Its version, where the model itself has none: the how-manieth of its name it is."""
    share: Fraction | None = None
    """A canary's part of the requests that name no version; None: it is no canary."""

    @property
    def moves(self) -> bool:
        """Whether it is an alias, which can mean another version tomorrow."""
        return artifacts.looks_like_reference(self.model) and not is_version(artifacts.parse(self.model).alias)


@dataclass(frozen=True)
class Located:
    """What a source means now, on this machine."""

    path: Path
    """A bundle folder or a graph file."""
    version: str
    """As clients name it: digits."""
    digest: str
    """Changes when the source means something else."""


def parse(texts: Sequence[str]) -> tuple[Source, ...]:
    """Read `MODEL` and `name=MODEL`. A path that exists is a path, even with an equals sign in it."""
    counts: Counter[str | None] = Counter()
    sources = []
    for text in texts:
        name, model = split(text)
        counts[name] += 1
        sources.append(Source(model, name, number=counts[name] if name else 1))
    return tuple(sources)


def resolve(source: Source) -> artifacts.Version | None:
    """The version that a reference means now; None for a path."""
    if not artifacts.looks_like_reference(source.model):
        return None
    reference = artifacts.parse(source.model)
    return artifacts.registry(reference).resolve(reference)


def fetch(source: Source) -> Located:
    """Where the source's files are on this machine, each verified against its digest."""
    version = resolve(source)
    if version is None:
        return Located(Path(source.model), str(source.number), "")
    folder = artifacts.registry(version.reference).fetch(version.reference)
    return Located(folder, number(version.reference.alias), version.digest)


def number(version: str) -> str:
    """A version as clients name it: of `v3` the 3."""
    return version.removeprefix("v")


def check_name(name: str) -> str:
    """A name that can stand in a URL."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be served under this name: give one of letters, digits, '.', '_' and '-'")
    return name


def split(text: str) -> tuple[str | None, str]:
    """The name, if one is given, and the model of `name=MODEL`."""
    found = None if os.path.exists(text) else _NAMED.fullmatch(text)
    return (found[1], found[2]) if found else (None, text)
