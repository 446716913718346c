"""Everything that one run of `lit-bench` found, as --json prints it and --compare reads it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lit_infer.bench.cold_start import ColdRow
from lit_infer.bench.rows import BenchRow, plain
from lit_infer.bench.scenarios import ScenarioRow
from lit_infer.bench.served.record import ServedRecord
from lit_infer.errors import LitError
from lit_infer.manifest import Manifest


@dataclass
class BenchResult:
    """What was measured, on which model and machine."""

    model: str
    manifest: Manifest | None
    """Of the model in this process; None: only served models were measured."""
    environment: dict[str, Any]
    rows: Sequence[BenchRow] = ()
    scenarios: list[ScenarioRow] = field(default_factory=list)
    cold: Sequence[ColdRow] = ()
    served: Sequence[ServedRecord] = ()
    measured_on: str | None = None
    """The rows that were measured, in words; None for images and servers."""
    interrupted: bool = False
    error: LitError | None = None
    """What ended the run early."""

    @property
    def identity(self) -> str:
        """Name and weights; for a served model, what its server says."""
        return self.manifest.identity() if self.manifest else ", ".join(one.identity for one in self.served)

    @property
    def name(self) -> str:
        """The model's name, for a title."""
        return self.manifest.name if self.manifest else self.model

    @property
    def failed(self) -> int:
        """Requests that a server had no room for."""
        return sum(row.failed for row in self.rows) + sum(row.failed for row in self.scenarios)

    @property
    def holds_rate(self) -> bool:
        """Whether every rate that had to be held was held."""
        return all(row.valid for row in self.scenarios if row.rate is not None)

    def as_data(self) -> dict[str, Any]:
        """Plain data. The times of single calls are left out: they would take megabytes."""
        return {
            "model": self.model,
            "identity": self.identity,
            "digest": self.manifest and self.manifest.source.digest,
            "environment": self.environment,
            "interrupted": self.interrupted,
            "error": None if self.error is None else str(self.error),
            "measured_on": self.measured_on,
            "rows": [plain(row) for row in self.rows],
            "scenarios": [plain(row) for row in self.scenarios],
            "cold": [asdict(row) for row in self.cold],
            "served": [asdict(one) for one in self.served],
        }
