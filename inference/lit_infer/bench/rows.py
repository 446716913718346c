"""One line of a measurement, and how it is computed from the times of single calls."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from lit_infer.bench.latencies import percentiles
from lit_infer.errors import EngineError
from lit_infer.predictions import Timings

STAGES = ("read", "decode", "resize", "infer")
"""Of an image."""
ROW_STAGES = {"read": "read", "prepare": "decode", "infer": "infer"}
"""Of a row: by its name, which of an image's stages takes its place in `Timings`."""
SERVER = "server"
"""The device of a row whose model is served: the client cannot see which one it is."""

Via = Literal["call", "submit", "file"]
Unit = Literal["images", "rows"]
"""What a model answers about."""


@dataclass(frozen=True)
class BenchRow:
    """Latency of one call, and how many images, or rows, all callers together get through per second."""

    format: str
    """Its format, and its precision if that is not fp32. For a served model: the protocol."""
    engine: str
    device: str
    """SERVER for a served model."""
    threads: int
    """0: the server's own."""
    batch_size: int
    """Images per call; the most that `submit` puts in a batch."""
    via: Via
    """call: one caller, a batch at a time, with all threads. submit: each caller submits one image and waits. file: a
    file of rows is read and answered in blocks, on all threads."""
    callers: int
    decoded: bool
    """Whether reading, decoding and resizing, or the preparing of rows, are part of the call."""
    calls: int
    """How many calls were answered; the figures are about these."""
    p50_ms: float | None
    """None, as the other latencies, of a file."""
    p90_ms: float | None
    """None, here and below: too few calls to tell."""
    p95_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    mean_ms: float | None
    images_per_s: float
    """All images, or rows, over the whole time, not over the median, so that slow calls count."""
    stages_ms: dict[str, float] | None = None
    """Mean work on one image: read, decode, resize, infer; on a row: read, prepare, infer. None if only the graph is
    measured, or if it is served."""
    failed: int = 0
    """Calls that the server refused because its queue was full. They are not in any figure."""
    why_failed: str = ""
    unit: Unit = "images"
    """What `images_per_s` counts."""
    times_ms: tuple[float, ...] = field(default=(), repr=False, compare=False)


class Described(Protocol):
    """What a row says about what was called."""

    @property
    def name(self) -> str:
        """Its usual name: onnx, onnx int8, http."""

    @property
    def engine(self) -> str:
        """The engine."""

    @property
    def device(self) -> str:
        """The device."""

    @property
    def threads(self) -> int:
        """Its number of threads; 0: the server's own."""

    @property
    def decoded(self) -> bool:
        """Whether a call begins with image files, or with rows as they are."""

    @property
    def unit(self) -> Unit:
        """What it answers about."""


@dataclass
class CallTimes:
    """Single calls, added by all callers."""

    times: list[float] = field(default_factory=list)
    """Seconds of each call that was answered."""
    timings: list[Timings] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """The reason, for each call that was refused."""
    elapsed: float = 0.0
    """Seconds of all turns together."""

    def clear(self) -> None:
        """Forget the warm-up."""
        self.times.clear()
        self.timings.clear()
        self.refused.clear()

    def as_row(self, subject: Described, *, batch_size: int, via: Via, callers: int) -> BenchRow:
        """The row of these calls. Raises EngineError if no call was answered."""
        if not self.times:
            raise EngineError(f"{subject.name}: none of {len(self.refused)} calls was answered: {self.refused[0]}")
        milliseconds = np.array(self.times) * 1e3
        images = len(self.times) * (batch_size if via == "call" else 1)
        p50, p90, p95, p99, p999 = percentiles(milliseconds).values()
        assert p50 is not None  # noqa: S101 - the median is always known
        return BenchRow(
            format=subject.name,
            engine=subject.engine,
            device=subject.device,
            threads=subject.threads,
            batch_size=batch_size,
            via=via,
            callers=callers,
            decoded=subject.decoded,
            calls=len(self.times),
            p50_ms=p50,
            p90_ms=p90,
            p95_ms=p95,
            p99_ms=p99,
            p999_ms=p999,
            mean_ms=float(milliseconds.mean()),
            images_per_s=images / self.elapsed,
            stages_ms=_stages(self.timings, subject.unit) if subject.decoded else None,
            failed=len(self.refused),
            why_failed=self.refused[0] if self.refused else "",
            unit=subject.unit,
            times_ms=tuple(milliseconds.tolist()),
        )


def unit_of(rows: Sequence[BenchRow]) -> str:
    """What the figures count: images or rows; items, where servers have both."""
    units = {row.unit for row in rows}
    return units.pop() if len(units) == 1 else "items"


def plain(row: Any) -> dict[str, Any]:
    """A row's fields as `--json` has them: of rows, `rows_per_s`. The times of single calls would take megabytes."""
    unit = row.unit
    found = {name: value for name, value in asdict(row).items() if name != "times_ms"}
    return {name.replace("images_per", f"{unit}_per"): value for name, value in found.items()}


def _stages(timings: Sequence[Timings], unit: Unit) -> dict[str, float] | None:
    if not timings:
        return None
    named = ROW_STAGES if unit == "rows" else {name: name for name in STAGES}
    return {name: float(np.mean([getattr(one, f"{taken}_ms") for one in timings])) for name, taken in named.items()}
