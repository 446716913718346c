"""A reference names a version of an artifact: `entity/project/name:alias`.

The last part is an alias (`best`, `production`), a version (`v3`) or `latest`, and may be left out: `latest`.
Also read: `project/name:alias` and `name:alias`, completed from environment variables, and the address of an artifact's
page as the browser shows it; which variables and which pages, the table of registries says (`PROVIDERS`).
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lit_infer.errors import UsageError

if TYPE_CHECKING:
    from lit_infer.artifacts.registry import Provider

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r"v(0|[1-9][0-9]*)")

LOCAL = "local"
"""The entity of references to the folder registry."""
FORM = "entity/project/name:alias, for instance local/digits/digits-cnn:best"


@dataclass(frozen=True)
class Reference:
    """`str(parse(text))` is `text` with its alias written out."""

    entity: str
    project: str
    name: str
    alias: str

    def __str__(self) -> str:
        return f"{self.collection}:{self.alias}"

    @property
    def collection(self) -> str:
        """What the versions belong to: `entity/project/name`."""
        return f"{self.entity}/{self.project}/{self.name}"

    def at(self, alias: str) -> "Reference":
        """The same collection at another alias or version."""
        return Reference(self.entity, self.project, self.name, alias)


def looks_like_reference(text: str) -> bool:
    """Whether text is a reference rather than a path or another URL. What exists as a path is a path.

    Two slashes make a reference; fewer need a colon, else any mistyped file name would be one.
    """
    if os.path.exists(text) or text.startswith((".", "/", "~")):
        return False
    if "://" in text:
        return any(row.is_page is not None and row.is_page(text) for row in _providers())
    slashes = text.count("/")
    return slashes == 2 or (slashes < 2 and ":" in text)


def is_version(alias: str) -> bool:
    """Whether an alias is a version, `v0`, `v1`, …, which never moves."""
    return _VERSION.fullmatch(alias) is not None


def parse(text: str) -> Reference:
    """Read a reference; a malformed one is explained with the part at fault."""
    if "://" in text:
        return _parse_page(text)
    path, colon, alias = text.partition(":")
    if colon and not alias:
        raise UsageError(f"{text!r}: the alias after the colon is empty; use latest, v0 or an alias")
    parts = path.split("/")
    if len(parts) > 3:
        raise UsageError(f"{text!r} is not a reference: expected {FORM}, and this has {len(parts)} parts, not 3")
    return checked(*_completed(parts, text), alias or "latest")


def check_names(reference: Reference) -> None:
    """Every part becomes a folder's name, so none may climb out of the registry or hide in it."""
    for part in ("entity", "project", "name", "alias"):
        value = getattr(reference, part)
        if not _PART.fullmatch(value):
            raise UsageError(
                f"{str(reference)!r}: the {part} {value!r} may hold letters, digits, '.', '_' and '-', "
                "begins with a letter, a digit or '_', and has at most 128 characters"
            )


def checked(entity: str, project: str, name: str, alias: str) -> Reference:
    """A reference of valid parts; a part that is not is explained."""
    reference = Reference(entity, project, name, alias)
    check_names(reference)
    return reference


def completing(part: str, project: str = "") -> list[str]:
    """The environment variables that complete a reference without its `entity` or `project`, first choice first."""
    return [row.variable(part, project) for row in _providers() if row.variable is not None]


def default(part: str, project: str = "") -> str | None:
    """What one of these variables says."""
    return next((value for name in completing(part, project) if (value := os.environ.get(name))), None)


def _completed(parts: list[str], text: str) -> tuple[str, str, str]:
    """Entity, project and name; what is missing at the front comes from environment variables."""
    name = parts[-1]
    project = parts[-2] if len(parts) > 1 else _required("project", "", text)
    entity = parts[-3] if len(parts) > 2 else _required("entity", project, text)
    return entity, project, name


def _required(part: str, project: str, text: str) -> str:
    if value := default(part, project):
        return value
    names = " or ".join(completing(part, project))
    raise UsageError(f"{text!r} does not say which {part}: set {names}, or write it out as {FORM}")


def _parse_page(text: str) -> Reference:
    """Read by the registry that has such pages; if none has, the first says what it expected."""
    readers = [row for row in _providers() if row.read_page is not None]
    row = next((row for row in readers if row.is_page is not None and row.is_page(text)), readers[0])
    assert row.read_page is not None  # noqa: S101 - chosen by that
    return row.read_page(text)


def _providers() -> "Iterable[Provider]":
    """The rows of the table; looked at when needed, since registries read references."""
    from lit_infer.artifacts.providers import PROVIDERS

    return PROVIDERS.values()
