"""What the folder registry writes down, and how it reads it back: strictly, and never a half-written file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lit_infer import files
from lit_infer.errors import ArtifactError

VERSION_FILE = "version.json"
HEAD_FILE = "aliases.json"

T = TypeVar("T")


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a version."""

    sha256: str
    bytes: int


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`version.json`: written once, never changed."""

    type: str
    digest: str
    files: dict[str, File]
    parents: tuple[str, ...]
    metadata: dict[str, Any]
    created: str


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`aliases.json`: what each alias means now, and the lowest number that the next version may get."""

    aliases: dict[str, str]
    next: int


def digest(contents: Mapping[str, File]) -> str:
    """sha256 over the files' names and digests."""
    lines = "".join(f"{file.sha256}  {name}\n" for name, file in sorted(contents.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def read(path: Path, to: type[T]) -> T:
    """Decode a record; ArtifactError where it is missing or damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=to)
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing: the registry was changed by hand") from None
    except msgspec.MsgspecError as error:
        raise ArtifactError(f"{path} is damaged: {error}") from None


def encode(value: msgspec.Struct) -> str:
    """A record as readable JSON."""
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode() + "\n"


def write(path: Path, value: msgspec.Struct) -> None:
    """Write a record so that readers see all of the old one or all of the new one."""
    with files.atomic_text(path) as file:
        file.write(encode(value))
