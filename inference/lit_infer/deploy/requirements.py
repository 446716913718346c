"""The packages of an image: exactly those that this release was tested with, each by its hashes.

`locked.txt` is what uv exports from uv.lock for every extra that an image may have; an image gets what it needs of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata, resources

from lit_infer.engines import ENGINES
from lit_infer.errors import UsageError

_ENGINES = (engine.extra for engine in ENGINES.values() if not engine.is_for_one_host and engine.module != "torch")
EXTRAS = ("serve", *_ENGINES, "opencv", "tiff", "heif", "trace")
"""What `locked.txt` has the packages of."""
_OWN = "lit-deploy"


@dataclass(frozen=True)
class LockedPackage:
    """One version of a package."""

    name: str
    text: str
    """Its lines for pip: version, marker, hashes."""
    needed_by: frozenset[str]


def lines(extras: Iterable[str]) -> str:
    """A requirements file for the runtime with these extras. Raises UsageError for an extra that is not locked."""
    asked = set(extras)
    if unknown := sorted(asked - set(EXTRAS)):
        raise UsageError(f"an image cannot have the extra {unknown[0]}; it may have {', '.join(EXTRAS)}")
    packages = parse(resources.files("lit_infer.deploy").joinpath("locked.txt").read_text())
    names = _own(asked)
    while True:
        more = {package.name for package in packages if package.needed_by & names} - names
        if not more:
            break
        names |= more
    return "".join(package.text for package in packages if package.name in names)


def parse(text: str) -> list[LockedPackage]:
    """The packages of a file that uv has exported, in its order."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    return [_package(block) for block in blocks if block.strip() and not block.startswith("#")]


def _package(block: str) -> LockedPackage:
    name = block.partition("==")[0]
    kept = [line for line in block.splitlines() if not line.strip().startswith("#")]
    by = re.findall(r"#(?: via)?\s+([A-Za-z0-9._-]+)", block)
    return LockedPackage(name, "\n".join(kept) + "\n", frozenset(by) - {"via"})


def _own(extras: set[str]) -> set[str]:
    """The packages that we ask for ourselves."""
    names = set()
    for line in metadata.requires(_OWN) or []:
        wanted = set(re.findall(r"extra == ['\"]([\w-]+)['\"]", line))
        if not wanted or wanted & extras:
            names.add(re.split(r"[^A-Za-z0-9._-]", line)[0].lower())
    return names - {_OWN}
