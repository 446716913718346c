"""How long a batch takes on one core: drawn from the percentiles of a measurement."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lit_infer.errors import NotFoundError, UsageError

_POINTS = (("p50_ms", 0.5), ("p90_ms", 0.9), ("p95_ms", 0.95), ("p99_ms", 0.99), ("p999_ms", 0.999))


@dataclass(frozen=True)
class ServiceTimes:
    """Seconds of a batch, as quantiles, by its size."""

    quantiles: Mapping[int, tuple[tuple[float, float], ...]]
    """For each measured size: (share of the calls, seconds), ascending."""

    @property
    def largest(self) -> int:
        """The largest batch that was measured."""
        return max(self.quantiles)

    def sample(self, size: int, shares: Any) -> Any:
        """Seconds for batches of `size`, whose places among all calls are `shares`, 0 to 1.

        Between two measured sizes a time is interpolated; below the median, where nothing is known, it is the median.
        """
        sizes = sorted(self.quantiles)
        above = next((one for one in sizes if one >= size), sizes[-1])
        below = max((one for one in sizes if one <= size), default=above)
        times = [self._sample(one, shares) for one in (below, above)]
        weight = 0.0 if above == below else (size - below) / (above - below)
        return times[0] * (1 - weight) + times[1] * weight

    def _sample(self, size: int, shares: Any) -> Any:
        points, seconds = np.array(self.quantiles[size]).T
        return np.interp(shares, points, seconds)

    def mean(self, size: int) -> float:
        """The mean of its samples."""
        return float(np.mean(self.sample(size, (np.arange(2000) + 0.5) / 2000)))


def read(path: Path) -> tuple[ServiceTimes, dict[str, Any]]:
    """The times of the rows that `lit-bench --threads 1 --json` has written, and all of the file.

    Raises NotFoundError, UsageError.
    """
    try:
        data = json.loads(path.read_bytes())
        rows = [row for row in data["rows"] if row["via"] == "call" and row["threads"] == 1]
        formats = list(dict.fromkeys((row["format"], row["decoded"]) for row in rows))
    except FileNotFoundError:
        raise NotFoundError(
            f"no measurement at {path}: lit-bench MODEL --threads 1 --from PHOTOS --json > {path}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{path} was not written by lit-bench --json") from None
    if len(formats) != 1:
        raise UsageError(
            f"{path}: expected one graph measured with one thread: "
            f"lit-bench MODEL --engine FORMAT --threads 1 --from PHOTOS --json > {path}"
        )
    return ServiceTimes({row["batch_size"]: _quantiles(row) for row in rows}), data


def _quantiles(row: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """Without the percentiles for which there were too few calls."""
    return tuple((share, row[name] / 1e3) for name, share in _POINTS if row.get(name) is not None)
