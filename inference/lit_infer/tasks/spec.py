"""What the runtime knows about a task: one frozen `TaskSpec` each, and the few types that all tasks share."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import msgspec
from numpy.typing import NDArray
from PIL import Image

from lit_infer.decoding import explained
from lit_infer.errors import InputError, UsageError
from lit_infer.images.limits import DEFAULT_LIMITS, Limits
from lit_infer.images.mapping import WayBack

Row = dict[str, Any]
Outputs = Sequence[NDArray[Any]]
"""The graph's outputs in the manifest's order, each [batch, …]."""

Kind = Literal["classes", "labels", "values", "vector", "mask", "boxes", "image", "anomaly", "tensors"]
"""How an answer is drawn: the report and the page know kinds, not tasks."""

Column = Literal[
    "text",
    "integer",
    "number",
    "boolean",
    "choices",
    "areas",
    "boxes",
    "neighbours",
    "integers",
    "numbers",
    "doubles",
    "booleans",
]
"""The type of a column in a table of rows; `choices` is a list of label, index and score, `areas` of label, index,
pixels and share, `boxes` of label, index, score and box, `neighbours` of path and similarity. The plural ones are
lists: `numbers` of float32, `doubles` of float64."""
LISTS = frozenset({"choices", "areas", "boxes"})
"""Those of lists, which are empty for an image that could not be read."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """What is requested for an item."""

    top_k: int = 5
    timings: bool = False
    limits: Limits = DEFAULT_LIMITS
    threshold: float | None = None
    """Below this score there is no label; None: as the deployment facts say."""
    output: bool = False
    """Whether the graph's bare row is requested as well."""
    way: WayBack | None = None
    """From the prepared image to the image as it was, for a task that `maps_back`; None: answers stay as prepared."""


class NoFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A task whose answers need no further facts to be read."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Nothing can be wrong."""


class Reading(msgspec.Struct, frozen=True):
    """What is needed from a manifest to read the outputs, worked out once."""

    labels: tuple[str, ...] | None
    facts: Any
    """The task's own struct, `TaskSpec.facts`."""
    size: int | None
    """What the first output has one number each for, `TaskSpec.size_of`; None if that is not fixed."""
    outputs: tuple[Any, ...] = ()
    """The graph's outputs, each a `manifest.Tensor`, where they are known."""


class Shown(msgspec.Struct, frozen=True):
    """A row as it is displayed in a terminal, a report or a page."""

    title: str
    score: float | None = None
    """0 to 1."""
    details: tuple[tuple[str, float], ...] = ()
    """Names and numbers, the most important first."""
    in_title: int = 0
    """How many of the details the title shows already."""
    groups: tuple[str, ...] = ()
    """What a report can be filtered by."""


class AnswerTally(Protocol):
    """Counts the answers of a run while it runs: its memory does not grow with the images."""

    def add(self, row: Row, truths: Mapping[str, str | None]) -> None:
        """Count the row of one image that could be read; `truths` has what its sources say it shows."""

    def lines(self) -> list[str]:
        """A summary of the answers, in a few lines."""

    def verdict(self) -> str:
        """How many are right, if that is known; else empty."""


class NoTally:
    """Nothing is counted."""

    def __init__(self, reading: Reading) -> None:
        del reading

    def add(self, row: Row, truths: Mapping[str, str | None]) -> None:
        """Nothing to count."""

    def lines(self) -> list[str]:
        """Nothing to say."""
        return []

    def verdict(self) -> str:
        """Nothing is known."""
        return ""


@dataclass(frozen=True)
class Agreement:
    """When two graphs count as giving the same answers, beyond their numbers being close."""

    name: str
    """For example "top-1 agreement"."""
    same: Callable[[NDArray[Any], NDArray[Any], Reading], NDArray[Any]]
    """From two arrays of rows [batch, …]: for each row, whether the answers are the same, or the share that is."""
    margin: Callable[[NDArray[Any], NDArray[Any], Reading], float | None] | None = None
    """Of answers that are not the same: how much better the second array's own are by its own scores, at most."""


@dataclass(frozen=True)
class Metric:
    """The number that says how good answers are on labelled data."""

    name: str
    better: Literal["max", "min"]
    is_share: bool = True
    """Of one that is better the larger it is: whether it is between 0 and 1."""


@dataclass(frozen=True)
class AnswerFile:
    """A file that a run writes for each image, as its rows have no room for it."""

    option: Literal["masks", "images", "maps"]
    """What they are called together, which is the option that says where they go."""
    column: str
    """The column of a row with the file's path."""
    encode: Callable[[Any], tuple[str, bytes] | None]
    """An answer's suffix and bytes; None where it has no file."""


MEDIA = {".png": "image/png", ".npy": "application/x-npy"}
"""What a file of this suffix is, for HTTP."""


def last_side(shape: Sequence[int | str]) -> int | None:
    """Numbers in a row of an output; None if that is not fixed."""
    last = shape[-1] if shape else None
    return last if isinstance(last, int) else None


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """All that the runtime knows about a task. Its twin in lit_export has the wrapper module and the score."""

    name: str
    does: str
    """What a model of this task does, after "This model"."""
    kind: Kind
    takes_images: bool = True
    """Whether items are images; else the graph is given bare arrays."""
    has_columns: bool = False
    """Whether items are rows of a table, whose columns the deployment facts say (`fields`)."""
    has_text: bool = False
    """Whether items are texts, whose tokenizer the deployment facts say (`fields.text`)."""
    facts: type[Any] = NoFacts
    """The struct of the deployment facts about its answers, under `answers`; it has a `check(labels, size)`."""
    answer: type[msgspec.Struct]
    """The type of `Prediction.answer`."""
    read: Callable[[Outputs, Sequence[Ask], Reading], Sequence[msgspec.Struct | InputError]]
    """A batch of outputs as answers, one for each ask; an error where an image has none."""
    columns: Callable[[Reading], dict[str, Column]]
    """The columns of its rows, in order."""
    row: Callable[[Any], Row]
    """An answer as those columns."""
    show: Callable[[Row], Shown]
    headings: tuple[str, str, str] = ("answer", "score", "next")
    """Headings of a table with the title, the score and the runners-up."""
    tally: Callable[[Reading], AnswerTally] = NoTally
    agreement: Agreement | None = None
    metric: Metric | None = None
    size_of: Callable[[Sequence[int | str]], int | None] = last_side
    """From the shape of the first output, how many labels there are; None if it does not say."""
    maps_back: bool = False
    """Whether answers have positions, which are given in the image as it was: `read` needs each ask's `way`."""
    draws_masks: bool = False
    """Whether an answer has a `mask`, the class of each pixel."""
    drawn: Callable[[Any], Image.Image | None] | None = None
    """An answer as a picture that lies over its image, in 8 bits of grey or colours, with alpha or without."""
    file: AnswerFile | None = None
    """What a run writes to a file of its own for each image."""
    takes_top_k: bool = False
    takes_threshold: bool = False
    threshold_is_share: bool = True
    """Whether a threshold is between 0 and 1; else any number."""
    sorts_by: str | None = None
    """The column that names the folder an image can be sorted into."""
    needs_vectors: bool = False
    """Whether the answer does not fit in a row, so that a run needs a file for the vectors."""
    nouns: tuple[str, str] = ("class", "classes")
    """What its labels are called, in the singular and the plural."""
    pipeline_tag: str | None = None
    """Hugging Face's name for the task."""
    cautions: tuple[str, ...] = ()
    """What the model card warns of."""

    @property
    def has_fields(self) -> bool:
        """Whether items are rows whose values the deployment facts say."""
        return self.has_columns or self.has_text

    def check_threshold(self, threshold: float | None, *, name: str) -> None:
        """Raise UsageError for a threshold that a model of this task cannot have."""
        if threshold is None:
            return
        if not self.takes_threshold:
            raise UsageError(f"{name}: a threshold is for labels, and task {self.name} gives none")
        if not math.isfinite(threshold):
            raise UsageError(f"{name}: a threshold is a number, not {threshold}")
        if self.threshold_is_share and not 0 <= threshold <= 1:
            raise UsageError(f"{name}: a threshold of task {self.name} is from 0 to 1, not {threshold:g}")

    RESERVED: ClassVar[frozenset[str]] = frozenset({"path", "error", "code", "model", "ms"})
    """Columns that every row has, whatever the task."""

    def reading(
        self,
        *,
        labels: tuple[str, ...] | None,
        answers: Mapping[str, Any],
        size: int | None,
        outputs: tuple[Any, ...] = (),
    ) -> Reading:
        """What is needed to read outputs. Raises ValueError (as msgspec.ValidationError, too) for unfit facts."""
        try:
            facts = msgspec.convert(dict(answers), self.facts, strict=True)
        except msgspec.ValidationError as error:
            raise ValueError(f"answers of task {self.name}: {explained(error, self.facts)}") from None
        facts.check(labels, size)
        return Reading(labels=labels, facts=facts, size=size, outputs=outputs)

    def empty_row(self, reading: Reading) -> Row:
        """The columns of an image that could not be read."""
        return {name: [] if kind in LISTS else None for name, kind in self.columns(reading).items()}
