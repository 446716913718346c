"""What every figure depends on: the machine, how much of it the process may use, and the versions."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lit_infer import engines
from lit_infer.hardware import cpu_model, usable_cpus

_PACKAGES = ("lit-deploy", *engines.packages(), "numpy", "pillow", "simplejpeg")
_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
)
"""The flags of a CPU that decide how fast a graph can be."""


def environment() -> dict[str, Any]:
    """The machine now, as plain data. What cannot be read here is left out."""
    found = {
        "cpu": cpu_model(),
        "cores": usable_cpus(),
        "cores_of_machine": os.cpu_count(),
        "cpu_flags": _cpu_flags(),
        "cgroup_cpu_max": _text("/sys/fs/cgroup/cpu.max"),
        "governor": _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "memory_gb": _memory_gb(),
        "gpus": _gpus(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: _version(name) for name in _PACKAGES},
    }
    return {name: value for name, value in found.items() if value}


def _cpu_flags() -> list[str]:
    for line in _text("/proc/cpuinfo").splitlines():
        if line.startswith("flags"):
            here = set(line.split())
            return [flag for flag in _FLAGS if flag in here]
    return []


def _memory_gb() -> float | None:
    for line in _text("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return round(int(line.split()[1]) / 2**20, 1)
    return None


def _gpus() -> list[str]:
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for file in files for line in _text(str(file)).splitlines()]
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
