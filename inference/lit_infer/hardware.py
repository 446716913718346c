"""How much of the machine this process may use."""

import os
from pathlib import Path

DEFAULT_BATCH_SIZE = 8
"""Images per run of the graph. Small convolutional networks were fastest here at 8: more does not fit the cache."""


def usable_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """CPU cores this process may use: the lesser of its affinity and its cgroup's quota, at least 1.

    Thread pools that ask the machine instead start 64 threads in a container that may use two.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota(cgroup)
    return max(1, min(affinity, int(quota)) if quota else affinity)


def _cgroup_quota(root: Path) -> float | None:
    """Cores granted by the cgroup (v2, then v1), or None where there is no limit."""
    try:
        limit, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if limit in ("max", "-1"):
        return None
    try:
        return int(limit) / int(period)
    except (ValueError, ZeroDivisionError):
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
