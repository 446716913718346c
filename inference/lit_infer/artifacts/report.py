"""Versions as tables for a terminal. Pure: nothing here prints."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from lit_infer.artifacts import scores
from lit_infer.artifacts.registry import Version


def versions_table(versions: Sequence[Version]) -> Table:
    """A collection's versions, the newest first."""
    table = Table(box=None, pad_edge=False)
    for name in ("version", "aliases", "score", "kind"):
        table.add_column(name)
    table.add_column("size", justify="right")
    table.add_column("created")
    for version in reversed(versions):
        aliases = escape(", ".join(version.aliases))
        row = (
            version.reference.alias,
            f"[green]{aliases}[/green]",
            escape(scores.shown(version)),
            escape(kind(version)),
        )
        table.add_row(*row, size(version.bytes), moment(version.created))
    return table


def facts_table(version: Version) -> Table:
    """All that is known of one version."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    facts = {
        "reference": str(version.reference),
        "aliases": ", ".join(version.aliases) or "none",
        "kind": kind(version),
        "score": scores.shown(version),
        "digest": version.digest,
        "size": size(version.bytes),
        "created": version.created,
        "made from": "\n".join(version.parents),
    }
    for name, value in {**facts, **_rest(version.metadata)}.items():
        if value:
            table.add_row(escape(name), escape(value))
    return table


def kind(version: Version) -> str:
    """The formats of a bundle, with their precisions where these are not all fp32; else the type."""
    formats = version.metadata.get("formats")
    if not isinstance(formats, list) or not formats:
        return version.type
    names = ", ".join(map(str, formats))
    precisions = sorted(set(_texts(version.metadata.get("precisions", version.metadata.get("precision")))))
    return f"{names} {', '.join(precisions)}" if precisions and precisions != ["fp32"] else names


def size(count: int) -> str:
    """A number of bytes, readable."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


def moment(created: str) -> str:
    """A date and a time to the minute, UTC."""
    return created[:16].replace("T", " ")


def plain(version: Version) -> dict[str, Any]:
    """A version as plain data, for --json."""
    found = scores.recorded(version)
    return {
        "reference": str(version.reference),
        "type": version.type,
        "digest": version.digest,
        "aliases": list(version.aliases),
        "score": {"monitor": found.monitor, "mode": found.mode, "value": found.value} if found else None,
        "parents": list(version.parents),
        "bytes": version.bytes,
        "created": version.created,
        "metadata": dict(version.metadata),
    }


def _rest(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The metadata that no other line shows."""
    shown = ("formats", "precision", "precisions", "score", "monitor", "mode")
    return {name: str(value) for name, value in metadata.items() if name not in shown and value is not None}


def _texts(value: Any) -> Iterable[str]:
    """The texts of a text, a list or a table."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [str(item) for item in value] if isinstance(value, list) else []
