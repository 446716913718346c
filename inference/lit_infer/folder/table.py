"""The rows of a run: the columns that the model's task gives them, and how a prediction fills them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from lit_infer.manifest import Manifest
from lit_infer.predictions import Prediction
from lit_infer.tasks import Reading, Row, TaskSpec
from lit_infer.tasks.spec import Column

STAGES = ("read", "decode", "resize", "infer")

Columns = dict[str, Column | Literal["stages"]]


@dataclass(frozen=True)
class Table:
    """The rows of one model."""

    task: TaskSpec
    reading: Reading
    model: str
    """Recorded in each row: the model that made it."""
    timings: bool = False

    @classmethod
    def of(cls, manifest: Manifest, *, timings: bool = False) -> "Table":
        """The rows of a model with this manifest."""
        return cls(manifest.spec, manifest.reading, manifest.identity(), timings=timings)

    @cached_property
    def columns(self) -> Columns:
        """All columns in their order, each with its type."""
        own: Columns = {**self.task.columns(self.reading)}
        last: Columns = {"error": "text", "code": "text", "model": "text"}
        return {"path": "text", **own, **last, **({"ms": "stages"} if self.timings else {})}

    @cached_property
    def _empty(self) -> Row:
        return self.task.empty_row(self.reading)

    def row(self, prediction: Prediction) -> Row:
        """A prediction as plain data, in the order of the columns."""
        own = self._empty if prediction.answer is None else self.task.row(prediction.answer)
        row: Row = {
            "path": prediction.path,
            **own,
            "error": prediction.error,
            "code": prediction.code,
            "model": self.model,
        }
        if self.timings:
            taken = prediction.timings
            row["ms"] = taken and {stage: round(getattr(taken, f"{stage}_ms"), 3) for stage in STAGES}
        return row
