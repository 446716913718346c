"""A reference names a version of an artifact: `entity/project/name:alias`.

The last part is an alias (`best`, `production`), a version (`v3`) or `latest`, and may be left out: `latest`.
"""

import re
from dataclasses import dataclass

from lit_infer.errors import UsageError

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r"v(0|[1-9][0-9]*)")


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
    """Whether text has the form of a reference rather than of a path or a URL: two slashes, none at the start."""
    return text.count("/") == 2 and not text.startswith((".", "/", "~")) and "://" not in text


def is_version(alias: str) -> bool:
    """Whether an alias is a version, `v0`, `v1`, …, which never moves."""
    return _VERSION.fullmatch(alias) is not None


def parse(text: str) -> Reference:
    """Read a reference; a malformed one is explained with the part at fault."""
    path, colon, alias = text.partition(":")
    parts = path.split("/")
    if len(parts) != 3:
        raise UsageError(
            f"{text!r} is not a reference: expected entity/project/name:alias, "
            f"for instance local/digits/digits-cnn:best, and this has {len(parts)} of the 3 parts before the colon"
        )
    if colon and not alias:
        raise UsageError(f"{text!r}: the alias after the colon is empty; use latest, v0 or an alias")
    entity, project, name = parts
    reference = Reference(entity, project, name, alias or "latest")
    check_names(reference)
    return reference


def check_names(reference: Reference) -> None:
    """Every part becomes a folder's name, so none may climb out of the registry or hide in it."""
    for part in ("entity", "project", "name", "alias"):
        value = getattr(reference, part)
        if not _PART.fullmatch(value):
            raise UsageError(
                f"{str(reference)!r}: the {part} {value!r} may hold letters, digits, '.', '_' and '-', "
                "begins with a letter, a digit or '_', and has at most 128 characters"
            )
