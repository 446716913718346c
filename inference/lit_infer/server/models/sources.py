"""The models that a server should serve, as `MODEL` or `name=MODEL`, and where their files are."""

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
class ModelSource:
    """A model as the user named it."""

    model: str
    """A bundle folder, a graph file or a reference."""
    name: str | None = None
    """Its name for clients; None: the name in its manifest."""
    number: int = 1
    """Its version if the model itself has none: 1 for the first source of a name, 2 for the second, and so on."""
    share: Fraction | None = None
    """A canary's share of the requests without a version; None: it is not a canary."""

    @property
    def moves(self) -> bool:
        """Whether it is an alias, which may refer to another version tomorrow."""
        return artifacts.looks_like_reference(self.model) and not is_version(artifacts.parse(self.model).alias)


@dataclass(frozen=True)
class Located:
    """What a source refers to now, on this machine."""

    path: Path
    """A bundle folder or a graph file."""
    version: str
    """The version as clients write it: digits."""
    digest: str
    """Changes when the source refers to something else."""


def parse(texts: Sequence[str]) -> tuple[ModelSource, ...]:
    """Read `MODEL` and `name=MODEL`. A path that exists is a path, even with an equals sign in it."""
    counts: Counter[str | None] = Counter()
    sources = []
    for text in texts:
        name, model = split(text)
        counts[name] += 1
        sources.append(ModelSource(model, name, number=counts[name] if name else 1))
    return tuple(sources)


def resolve(source: ModelSource) -> artifacts.Version | None:
    """The version that a reference points to now; None for a path."""
    if not artifacts.looks_like_reference(source.model):
        return None
    reference = artifacts.parse(source.model)
    return artifacts.registry(reference).resolve(reference)


def fetch(source: ModelSource) -> Located:
    """Fetch the source's files to this machine, each verified against its digest."""
    version = resolve(source)
    if version is None:
        return Located(Path(source.model), str(source.number), "")
    folder = artifacts.registry(version.reference).fetch(version.reference)
    return Located(folder, number(version.reference.alias), version.digest)


def number(version: str) -> str:
    """A version as clients write it: 3 for `v3`."""
    return version.removeprefix("v")


def check_name(name: str) -> str:
    """Check that a name can be part of a URL. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"a model cannot be served as {name!r}: use letters, digits, '.', '_' and '-', as in NAME=MODEL"
        )
    return name


def plain_name(name: str) -> str:
    """A model's name, where clients may have written NAME/images to have it described as taking encoded images."""
    return name.removesuffix("/images")


def split(text: str) -> tuple[str | None, str]:
    """The name, if there is one, and the model of `name=MODEL`."""
    if os.path.exists(text):
        return None, text
    if found := _NAMED.fullmatch(text):
        return found[1], found[2]
    name, sign, model = text.partition("=")
    if sign and (os.path.exists(model) or artifacts.looks_like_reference(model) or "/" not in name):
        check_name(name)
        raise UsageError(f"{text!r} names no model: write {name}=MODEL")
    return None, text  # a path with an equals sign, which is not there
