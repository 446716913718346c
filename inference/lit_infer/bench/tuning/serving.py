"""In its own threads, or in processes beside it: how `lit-serve` answers most requests for a model here.

Each way is a real server on a free port of this machine, with the settings that were found before it; callers with a
connection each ask them in turns. Processes share no interpreter lock, and cost a model's memory each.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from lit_infer.bench.cells import ROUNDS, shared_by
from lit_infer.bench.measure import take_turns
from lit_infer.bench.served.model import ServedModel
from lit_infer.bench.served.opening import Servers
from lit_infer.bench.subjects import Subject
from lit_infer.errors import EngineError
from lit_infer.hardware import usable_cpus
from lit_infer.settings import TunedSettings

CALLERS = 16
MARGIN = 1.05
"""Two measurements of one server differ by less; processes take memory, so they have to be better than that."""

_SERVE = "from lit_infer.server.cli import main; main()"
_READY = "serving on "
_END_S = 10.0


@dataclass(frozen=True)
class ServingWay:
    """One way to serve, and its figures."""

    processes: int
    """0: in the server's own threads."""
    requests_per_s: float
    p99_ms: float | None

    def __str__(self) -> str:
        return f"--processes {self.processes}" if self.processes else "threads"


def ways() -> list[int]:
    """Numbers of processes: none, and 2, 4 and so on up to all cores."""
    cores = usable_cpus()
    return sorted({0, *(2**power for power in range(1, cores.bit_length()) if 2**power <= cores), max(2, cores)})


def steps(processes: Sequence[int]) -> int:
    """How often `measured` calls `advance`."""
    return len(processes) * ROUNDS


def measured(
    model: str,
    settings: TunedSettings,
    processes: Sequence[int],
    *,
    like: Subject | None = None,
    seconds: float,
    advance: Callable[[], None] = lambda: None,
) -> list[ServingWay]:
    """Requests/s of `lit-serve` in each of these ways, measured in turns. Raises EngineError if one does not start.

    `like`: what was measured in this process; its images are sent, or prepared rows. None: noise.
    """
    with ExitStack() as stack:
        models = [stack.enter_context(_serving(model, settings, number, like)) for number in processes]
        rows = take_turns([shared_by(one, CALLERS) for one in models], seconds=seconds, advance=advance)
    return [ServingWay(number, row.images_per_s, row.p99_ms) for number, row in zip(processes, rows, strict=True)]


def best(found: Sequence[ServingWay]) -> ServingWay:
    """The one with the most requests/s; threads, unless processes are clearly better."""
    threads = next(one for one in found if not one.processes)
    quickest = max(found, key=lambda one: one.requests_per_s)
    return quickest if quickest.requests_per_s > threads.requests_per_s * MARGIN else threads


@contextmanager
def _serving(model: str, settings: TunedSettings, processes: int, like: Subject | None) -> Iterator[ServedModel]:
    line = [sys.executable, "-c", _SERVE, model, "--port", "0", "--no-grpc", "--quiet", "--processes", str(processes)]
    named = {
        "--engine": settings.engine,
        "--precision": settings.precision,
        "--threads": settings.threads,
        "--max-batch": settings.batch_size,
    }
    line += [part for option, value in named.items() if value is not None for part in (option, str(value))]
    with subprocess.Popen(line, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603 - ours
        try:
            inputs = like.arrays if like is not None and like.unit == "rows" else None
            images = () if like is None else like.images
            (found,) = Servers([_address(server.stderr)]).open(images=images, inputs=inputs)
            yield found
        finally:
            server.terminate()
            try:
                server.wait(_END_S)
            except subprocess.TimeoutExpired:
                server.kill()


def _address(told: IO[str] | None) -> str:
    """Where the server says that it is; what else it says is then read, and forgotten."""
    said = ""
    for line in told or ():
        if line.startswith(_READY):
            threading.Thread(target=lambda: [None for _ in told or ()], daemon=True).start()
            return line.removeprefix(_READY).strip()
        said = line.strip() or said
    raise EngineError(f"lit-serve did not start: {said or 'it said nothing'}")
