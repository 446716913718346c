"""Two measurements, row by row, and what makes comparing them doubtful."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lit_infer import engines
from lit_infer.errors import UsageError

Found = Mapping[str, Any]
"""What `lit-bench --json` printed."""

_KEYS: dict[str, tuple[str, ...]] = {
    "rows": ("format", "device", "threads", "batch_size", "via", "callers", "decoded"),
    "scenarios": ("scenario", "format", "device", "threads", "decoded", "bound_ms"),
    "cold": ("format",),
}
"""What makes two rows the same measurement."""
_FIGURES = ("p50_ms", "p99_ms", "latency_ms", "rate", "images_per_s", "rows_per_s", "total_ms", "peak_rss_mb")
_MACHINE = ("cpu", "cores", "gpus")
_VERSIONS = ("lit-deploy", *engines.packages(), "python")


@dataclass(frozen=True)
class Ratio:
    """One figure then and now."""

    what: str
    """The row: format, batch, and whatever else distinguishes it."""
    figure: str
    old: float
    new: float

    @property
    def ratio(self) -> float:
        """New over old."""
        return self.new / self.old

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "ratio": self.ratio}


def read(path: Path) -> Found:
    """A file that `lit-bench --json` made."""
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found["environment"], dict) or not isinstance(found["rows"], list):
            raise TypeError
    except OSError as error:
        raise UsageError(f"--compare {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"--compare {path}: not a measurement. Make one with: lit-bench --json > {path.name}"
        ) from None
    return dict(found)


def differences(old: Found, new: Found) -> list[str]:
    """What has changed besides the code: the ratios then have more than one cause."""
    found = _servers_changed(old, new)
    digests = {one.get("digest") for one in (old, new)}
    if len(digests) == 2 and None not in digests:  # None: only servers were measured
        found.append(_changed("model", old.get("identity"), new["identity"]))
    then, now = old["environment"], new["environment"]
    found += [_changed(name, then.get(name), now.get(name)) for name in _MACHINE if then.get(name) != now.get(name)]
    versions = [name for name in _VERSIONS if then.get(name) != now.get(name)]
    return found + [_changed(name, then.get(name), now.get(name)) for name in versions]


def ratios(old: Found, new: Found) -> list[Ratio]:
    """Each figure that both have. Raises UsageError if they have none in common."""
    found = [ratio for part, keys in _KEYS.items() for ratio in _ratios(old.get(part), new.get(part), keys)]
    if not found:
        raise UsageError(
            "--compare: the two measurements have no row in common. Measure the same formats, batch sizes and threads"
        )
    return found


def _ratios(old: Any, new: Any, keys: tuple[str, ...]) -> Iterator[Ratio]:
    then = {tuple(str(row.get(key)) for key in keys): row for row in old or ()}
    for row in new or ():
        before = then.get(tuple(str(row.get(key)) for key in keys), {})
        for figure in _FIGURES:
            if before.get(figure) and row.get(figure):
                yield Ratio(_what(row), figure, before[figure], row[figure])


def _what(row: Found) -> str:
    parts = [row.get("scenario", ""), row["format"]]
    if "batch_size" in row:
        threads = f", threads {row['threads']}" if row["threads"] else ""
        parts.append(f"batch {row['batch_size']}{threads}")
        if row["via"] == "submit":
            parts.append(f"callers {row['callers']}")
    return " ".join(part for part in parts if part)


def _servers_changed(old: Found, new: Found) -> list[str]:
    """For each server that both measured, what has changed: its address, or what answers there."""
    then, now = ({one["format"]: _server(one) for one in found.get("served") or ()} for found in (old, new))
    return [_changed(name, then[name], now[name]) for name in now if name in then and then[name] != now[name]]


def _server(one: Found) -> str:
    server = f"{one['server']} {one['server_version']}"
    return f"{one['model']} version {one['model_version']} by {server} at {one['url']}, asked with {one['sends']}"


def _changed(what: str, old: Any, new: Any) -> str:
    return f"{what} was {old or 'not there'}, is {new or 'not there'}"
