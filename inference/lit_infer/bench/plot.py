"""A plot of a measurement: the distribution of latency, and throughput against batch size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lit_infer import files
from lit_infer.bench.rows import SERVER, BenchRow, unit_of
from lit_infer.errors import NotFoundError, UsageError, require

_SUFFIXES = (".png", ".svg", ".pdf")
_MOST = 8


def check(path: Path) -> None:
    """Raise, before anything is measured, the errors that would otherwise come after it."""
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"--plot {path}: the name must end in {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}")
    if not path.parent.is_dir():
        raise NotFoundError(f"--plot {path}: there is no folder {path.parent}")
    require("matplotlib", extra="bench", purpose="--plot")


def save(path: Path, rows: Sequence[BenchRow], *, title: str) -> None:
    """Draw the rows into a file, which appears only when it is complete. Those of `file` have no latencies."""
    require("matplotlib", extra="bench", purpose="--plot")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    rows = [row for row in rows if row.via != "file"]
    _distribution(left, _shown(rows))
    if calls := [row for row in rows if row.via == "call"]:
        _throughput(right, calls)
    with files.staging_folder(path.parent) as folder:
        figure.savefig(folder / path.name, dpi=150)
        files.sync_tree(folder)
        (folder / path.name).replace(path)


def _shown(rows: Sequence[BenchRow]) -> list[BenchRow]:
    """The smallest batch of each graph, and the rows of several callers: too many curves would be unreadable."""
    smallest = min(row.batch_size for row in rows)
    return [row for row in rows if row.via == "submit" or row.batch_size == smallest][:_MOST]


def _distribution(axes: Any, rows: Sequence[BenchRow]) -> None:
    longest = shortest = rows[0].times_ms[0]
    for row in rows:
        times = np.sort(row.times_ms)
        axes.plot(times, np.arange(1, len(times) + 1) / len(times) * 100, label=_label(row), drawstyle="steps-post")
        shortest, longest = min(shortest, times[0]), max(longest, times[-1])
    for percent in (50, 90, 99):
        axes.axhline(percent, color="0.85", linewidth=0.8, zorder=0)
    if longest > 4 * shortest:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(title="Latency of a call", xlabel="ms", ylabel="% of calls within", ylim=(0, 101))
    axes.set_yticks([0, 25, 50, 75, 90, 99])
    _legend(axes)


def _throughput(axes: Any, rows: Sequence[BenchRow]) -> None:
    for line in dict.fromkeys((row.format, row.threads) for row in rows):
        own = [row for row in rows if (row.format, row.threads) == line]
        axes.plot(
            [row.batch_size for row in own], [row.images_per_s for row in own], marker="o", label=_name(own[0], rows)
        )
    sizes = sorted({row.batch_size for row in rows})
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set(title="Throughput, one caller", xlabel="batch size", ylabel=f"{unit_of(rows)}/s")
    axes.set_ylim(bottom=0)
    _legend(axes)


def _legend(axes: Any) -> None:
    """Below the axes, where it hides no curve."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)


def _label(row: BenchRow) -> str:
    whom = f"{row.callers} caller{'s' * (row.callers > 1)}" if row.via == "submit" else f"batch {row.batch_size}"
    return f"{row.format}, {whom}" if row.device == SERVER else f"{row.format}, {whom}, {_threads(row.threads)}"


def _name(row: BenchRow, rows: Sequence[BenchRow]) -> str:
    is_one = row.device == SERVER or len({other.threads for other in rows if other.threads}) == 1
    return row.format if is_one else f"{row.format}, {_threads(row.threads)}"


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number > 1)}"
