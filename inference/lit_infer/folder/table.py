"""The rows of a run: the columns that the model's task gives them, and how a prediction fills them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest
from lit_infer.predictions import Prediction
from lit_infer.tasks import Reading, Row, Shown, TaskSpec
from lit_infer.tasks.spec import Column

STAGES = ("read", "decode", "resize", "infer")

Columns = dict[str, Column | Literal["stages", "any"]]
"""`any`: of the kind that its values turn out to have."""


@dataclass(frozen=True)
class Table:
    """The rows of one model."""

    task: TaskSpec
    reading: Reading
    model: str
    """Recorded in each row: the model that made it."""
    timings: bool = False
    kept: tuple[str, ...] = ()
    """Columns of the input that its rows have as well."""
    has_answers: bool = True
    """False: the answers go elsewhere, as arrays."""
    have_times: bool = False
    """Whether rows are of frames, which have a time."""
    has_nearest: bool = False
    """Whether rows have the most similar of other images."""
    images: tuple[str, ...] = ()
    """Of a model that takes several images: the columns with their paths."""

    has_runs: bool = False
    """Whether areas have their pixels, as runs."""

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        *,
        timings: bool = False,
        kept: tuple[str, ...] = (),
        has_answers: bool = True,
        have_times: bool = False,
        has_nearest: bool = False,
    ) -> "Table":
        """The rows of a model with this manifest. Raises UsageError for columns of one name."""
        table = cls(
            manifest.spec,
            manifest.reading,
            manifest.identity(),
            timings,
            kept,
            has_answers,
            have_times=have_times,
            has_nearest=has_nearest,
            images=manifest.image_names,
        )
        table.check()
        return table

    @property
    def nouns(self) -> tuple[str, str]:
        """What is predicted, in the singular and the plural."""
        return ("image", "images") if self.task.takes_images and not self.images else ("row", "rows")

    @cached_property
    def columns(self) -> Columns:
        """All columns in their order, each with its type."""
        number: Columns = {} if self.task.takes_images else {"row": "integer"}
        number |= {"seconds": "number"} if self.have_times else {}
        number |= dict.fromkeys(self.images, "text")
        kept: Columns = dict.fromkeys(self.kept, "any")
        last: Columns = {"error": "text", "code": "text", "model": "text"}
        near: Columns = {"nearest": "neighbours"} if self.has_nearest else {}
        return {
            "path": "text",
            **number,
            **kept,
            **self.own,
            **near,
            **last,
            **({"ms": "stages"} if self.timings else {}),
        }

    def check(self) -> None:
        """Raise UsageError for columns of one name."""
        if self.have_times and "seconds" in self.own:
            raise UsageError("the model answers a value called seconds, and rows of a video have such a column")
        if both := sorted({*self.images} & {*self.own}):
            raise UsageError(f"the model answers a value called {both[0]}, and so is one of its images")
        if self.task.takes_images:
            return
        reserved = {"path", "row", "error", "code", "model", "ms"}
        if taken := sorted(reserved & {*self.kept, *self.own}):
            raise UsageError(
                f"every row has a column {taken[0]}, so none of the model's or of --keep can have that name"
            )
        if both := sorted({*self.kept} & {*self.own}):
            raise UsageError(f"--keep {both[0]}: the model answers {both[0]}. Rename the column, or leave it out")

    @cached_property
    def own(self) -> dict[str, Column]:
        """The columns of the model's task."""
        found = self.task.columns(self.reading) if self.has_answers else {}
        return {name: "regions" if self.has_runs and kind == "areas" else kind for name, kind in found.items()}

    def show(self, row: Row) -> Shown:
        """A row as it is displayed."""
        if self.has_nearest:
            pairs = tuple((one["path"], one["similarity"]) for one in row["nearest"])
            title, similarity = pairs[0] if pairs else ("nothing", None)
            return Shown(title, similarity, pairs, in_title=1)
        if self.task.takes_images:
            return self.task.show(row)
        return self.task.show({name: row[name] for name in self.own}) if self.own else Shown("")

    @cached_property
    def empty_row(self) -> Row:
        """The columns of the model's task where there is no answer."""
        return self.task.empty_row(self.reading) if self.has_answers else {}

    @property
    def headings(self) -> tuple[str, str, str]:
        """Headings of a table with the title, the score and the runners-up."""
        return ("nearest", "similarity", "next") if self.has_nearest else self.task.headings

    def row(
        self,
        prediction: Prediction,
        *,
        number: int | None = None,
        kept: Sequence[Any] = (),
        seconds: float | None = None,
        nearest: Sequence[Row] = (),
        images: Mapping[str, str | None] | None = None,
    ) -> Row:
        """A prediction as plain data, in the order of the columns.

        `number`: of the row in its file; `seconds`: when its frame is shown; `nearest`: the most similar images;
        `images`: the paths of several.
        """
        own = self.empty_row
        if prediction.answer is not None and self.has_answers:
            made = self.task.row_with_runs if self.has_runs else None
            own = (made or self.task.row)(prediction.answer)
        row: Row = {
            "path": prediction.path,
            **({} if self.task.takes_images else {"row": number}),
            **({"seconds": seconds} if self.have_times else {}),
            **{name: (images or {}).get(name) for name in self.images},
            **dict(zip(self.kept, kept or (None,) * len(self.kept), strict=True)),
            **own,
            **({"nearest": list(nearest)} if self.has_nearest else {}),
            "error": prediction.error,
            "code": prediction.code,
            "model": self.model,
        }
        if self.timings:
            taken = prediction.timings
            row["ms"] = taken and {stage: round(getattr(taken, f"{stage}_ms"), 3) for stage in STAGES}
        return row
