"""Give a harness bytes near to its seeds for a while. What breaks it is made small and kept as a seed."""

import hashlib
import random
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.harnesses import Harness
from tests.fuzz.mutations import near

SEEDS = Path(__file__).parent / "seeds"
_ROUND = 200  # examples between two looks at the clock
_SLOW = 10.0  # seconds for one example
_LARGE = 256 * 2**20  # bytes of memory for one example, beyond the most that was ever in use


@dataclass(frozen=True)
class Fuzzed:
    """What a run found."""

    examples: int
    crash: Exception | None
    kept: Path | None
    """The file of the bytes that crashed it."""


def seeds(name: str, *, root: Path = SEEDS) -> list[bytes]:
    """The committed seeds of a harness, and the crashes that became seeds."""
    return [path.read_bytes() for path in sorted((root / name).iterdir())]


def fuzz(harness: Harness, name: str, *, seconds: float, root: Path = SEEDS, start: int | None = None) -> Fuzzed:
    """Run a harness for so many seconds, or until it breaks. `start` makes a run repeat another."""
    good, count, last = seeds(name, root=root), 0, b""
    generator, deadline = random.Random(start), time.monotonic() + seconds  # noqa: S311 - not a secret

    def one(data: bytes) -> None:
        nonlocal count, last
        count, last = count + 1, data
        started, most = time.monotonic(), _most_memory()
        harness(data)
        assert time.monotonic() - started < _SLOW, "it took too long"
        assert _most_memory() - most < _LARGE, "it took too much memory"

    while True:
        limited = settings(
            max_examples=_ROUND,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        try:
            seed(generator.getrandbits(64))(limited(given(near(good))(one)))()
        except Exception as crash:
            return Fuzzed(count, crash, _keep(last, root / name))
        if time.monotonic() >= deadline:
            return Fuzzed(count, None, None)


def _most_memory() -> int:
    """The most bytes that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _keep(data: bytes, folder: Path) -> Path:
    """hypothesis ends with the smallest bytes that still break it."""
    path = folder / f"crash-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path
