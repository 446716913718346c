"""How much of the machine this process may use."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

DEFAULT_BATCH_SIZE = 8
"""Images per run of the graph. Small convolutional networks were fastest here at 8: more does not fit the cache."""

DEFAULT_ROWS = 64
"""Rows per run of a graph that takes rows: each is small, and a run has a price of its own."""

DEFAULT_TABLE_ROWS = 256
"""The same for rows of a table, which are a few numbers each."""


def usable_cpus(cgroup: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """CPU cores this process may use: the lesser of its affinity and the quotas of its cgroups, at least 1.

    Thread pools that ask the machine instead start 64 threads in a container that may use two.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    groups = _own_groups(own)
    quota = _least(_quota_v2(folder) for folder in _upwards(cgroup, groups.get("", "/")))
    if quota is None:
        quota = _least(_quota_v1(folder) for folder in _upwards(cgroup / "cpu", groups.get("cpu", "/")))
    return max(1, min(affinity, int(quota)) if quota else affinity)


def _own_groups(own: Path) -> dict[str, str]:
    """The paths of this process's groups, by controller of v1; "" is v2."""
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return {}
    return {name: line[2] for line in lines if len(line) == 3 for name in line[1].split(",")}


def _upwards(root: Path, group: str) -> Iterator[Path]:
    """A group's folder and those above it, up to the root. A container may see its own group as the root."""
    parts = [part for part in group.split("/") if part not in ("", "..")]
    for count in range(len(parts), -1, -1):
        yield root.joinpath(*parts[:count])


def _least(quotas: Iterable[float | None]) -> float | None:
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_v2(folder: Path) -> float | None:
    """Cores granted to a group, or None where there is no limit."""
    try:
        limit, period = (folder / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        limit = int((folder / "cpu.cfs_quota_us").read_text())
        return None if limit < 0 else limit / int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError, ZeroDivisionError):
        return None


def cpu_model() -> str:
    """The processor's name, as Linux reports it, to be recorded beside a measurement."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return "unknown"
