"""All that one run of `lit-bench` found, as it is printed by --json and read by --compare."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lit_infer.bench.cells import Row
from lit_infer.bench.cold_start import ColdRow
from lit_infer.bench.scenarios import ScenarioRow
from lit_infer.manifest import Manifest


@dataclass
class Result:
    """What was measured, of which model, where."""

    model: str
    manifest: Manifest
    environment: dict[str, Any]
    rows: Sequence[Row] = ()
    scenarios: list[ScenarioRow] = field(default_factory=list)
    cold: Sequence[ColdRow] = ()
    interrupted: bool = False

    def as_data(self) -> dict[str, Any]:
        """Plain data. The single times of a row are left out: they would be megabytes."""
        return {
            "model": self.model,
            "identity": self.manifest.identity(),
            "digest": self.manifest.source.digest,
            "environment": self.environment,
            "interrupted": self.interrupted,
            "rows": [{name: value for name, value in asdict(row).items() if name != "times_ms"} for row in self.rows],
            "scenarios": [asdict(row) for row in self.scenarios],
            "cold": [asdict(row) for row in self.cold],
        }
