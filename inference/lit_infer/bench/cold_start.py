"""Cold start and memory, each time in a fresh process: import, open, first answer, and peak memory."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from lit_infer.bundle import GraphFile
from lit_infer.errors import EngineError

RUNS = 3
_SECONDS = 600


@dataclass(frozen=True)
class ColdRow:
    """The median of RUNS fresh processes; the files were read once before and are in the system's cache."""

    format: str
    import_ms: float
    """`import lit_infer` and everything that it needs to open a model."""
    open_ms: float
    """`load`, including the check of the file's sha256 and the import of the engine."""
    first_ms: float
    """The first answer, which allocates."""
    total_ms: float
    """From starting the process to the first answer, including the start of the interpreter."""
    peak_rss_mb: float
    """The most memory that the process had held by then."""


def measure_cold(
    graphs: Sequence[GraphFile],
    *,
    device: str,
    threads: int | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[ColdRow]:
    """Start each graph RUNS times, in turns, after one more start that fills the cache."""
    from lit_infer.bench.subjects import label

    found: dict[str, list[dict[str, float]]] = {label(graph): [] for graph in graphs}
    for number in range(RUNS + 1):
        for graph in graphs:
            started = _start(graph, device, threads)
            if number:
                found[label(graph)].append(started)
                advance()
    return [ColdRow(name, **{key: median(run[key] for run in runs) for key in runs[0]}) for name, runs in found.items()]


def _start(graph: GraphFile, device: str, threads: int | None) -> dict[str, float]:
    model = graph.path if graph.listed is None else graph.path.parent
    what = [str(model), graph.path.name, graph.provider, device, str(threads or 0)]
    begun = time.monotonic()
    line = [sys.executable, "-m", "lit_infer.bench.fresh_process", *what, repr(begun)]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise EngineError(f"cold start: {graph.path.name} gave no answer within {_SECONDS} s") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EngineError(f"cold start: {graph.path.name} failed in a fresh process: {reason}")
    answer: dict[str, float] = json.loads(done.stdout)
    return answer
