"""The aim of tuning, and its result: plain data."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from lit_infer.bench.latencies import PERCENTILES
from lit_infer.bench.rows import Unit
from lit_infer.errors import UsageError


@dataclass(frozen=True)
class Aim:
    """What is wanted. With a percentile: the most throughput under a bound on latency."""

    text: str
    percentile: float | None = None
    bound_ms: float = 0.0

    @property
    def latency_name(self) -> str:
        """Which latency is looked at."""
        return "p50 ms" if self.percentile is None else f"p{self.percentile:g} ms"

    @property
    def is_latency(self) -> bool:
        """Whether the aim is the least time of one call."""
        return self.text == "latency"


@dataclass(frozen=True)
class Tried:
    """One setting and its figures."""

    engine: str
    """With the precision if that is not fp32: `onnx int8`."""
    threads: int
    batch_size: int
    images_per_s: float
    latency_ms: float | None = None
    """The median if the aim is latency, the percentile if the aim is a bound on one."""

    @property
    def setting(self) -> tuple[str, int, int]:
        """The setting without its figures."""
        return self.engine, self.threads, self.batch_size

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return f"{self.engine}, {threads}, batch {self.batch_size}"


@dataclass(frozen=True)
class Tuned:
    """What was chosen, what it is compared with, and everything that was tried, best first."""

    aim: Aim
    chosen: Tried
    default: Tried
    tried: tuple[Tried, ...]
    unit: Unit = "images"
    """What `images_per_s` counts."""

    @property
    def is_default(self) -> bool:
        """Whether nothing better was found."""
        return self.chosen.setting == self.default.setting

    @property
    def gain(self) -> float:
        """How many times better than the default; 1 is no better."""
        if self.aim.is_latency and self.chosen.latency_ms and self.default.latency_ms:
            return self.default.latency_ms / self.chosen.latency_ms
        return self.chosen.images_per_s / self.default.images_per_s

    @property
    def why(self) -> str:
        """The reason, in figures."""
        if self.aim.is_latency:
            return f"{self.chosen.latency_ms:.3g} ms a call, {self.gain:.2f} times as quick"
        if self.aim.percentile is None:
            return f"{self.chosen.images_per_s:,.0f} {self.unit}/s, {self.gain:.2f} times as many"
        within = f"{self.aim.latency_name.removesuffix(' ms')} {self.chosen.latency_ms:.3g} ms"
        return f"{within} and {self.chosen.images_per_s:,.0f} {self.unit}/s, {self.gain:.2f} times as many"

    @property
    def why_not(self) -> str:
        """Why the default cannot be chosen, whatever its throughput; empty if it can."""
        if self.aim.percentile is None or (self.default.latency_ms or 0) < self.aim.bound_ms:
            return ""
        return f", with {self.aim.latency_name.removesuffix(' ms')} {self.default.latency_ms:.3g} ms"

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        data = {**asdict(self), "aim": self.aim.text, "gain": self.gain}
        return data if self.unit == "images" else _of_rows(data)


def _of_rows(data: Any) -> Any:
    """The same with `rows_per_s`, at whatever depth."""
    if isinstance(data, dict):
        return {"rows_per_s" if name == "images_per_s" else name: _of_rows(value) for name, value in data.items()}
    return [_of_rows(one) for one in data] if isinstance(data, list | tuple) else data


def parse_aim(text: str) -> Aim:
    """`latency`, `throughput`, or a bound such as `p99<20ms`."""
    if text in ("latency", "throughput"):
        return Aim(text)
    match = re.fullmatch(r"p(\d+(?:\.\d+)?)\s*<\s*(\d+(?:\.\d+)?)\s*(ms|s)", text.strip())
    if not match or float(match[1]) not in PERCENTILES or not float(match[2]):
        known = ", ".join(f"p{name:g}" for name in PERCENTILES)
        raise UsageError(f'--aim {text!r}: use latency, throughput, or a bound as in "p99<20ms" (with {known})')
    return Aim(text, float(match[1]), float(match[2]) * (1e3 if match[3] == "s" else 1))
