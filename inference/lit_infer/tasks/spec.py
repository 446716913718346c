"""What the runtime knows about a task: one frozen `TaskSpec` each, and the few types that all tasks share."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer.column_values import ColumnValues
from lit_infer.decoding import explained
from lit_infer.errors import InputError, UsageError
from lit_infer.images.limits import DEFAULT_LIMITS, Limits
from lit_infer.images.mapping import WayBack
from lit_infer.images.tiles import Grid, Merge, Tile, Tiles
from lit_infer.rows.places import TextPlaces

Row = dict[str, Any]
Outputs = Sequence[NDArray[Any]]
"""The graph's outputs in the manifest's order, each [batch, …]."""
NamedOutputs = Mapping[str, NDArray[Any]]

Kind = Literal[
    "classes",
    "labels",
    "values",
    "vector",
    "mask",
    "boxes",
    "instances",
    "points",
    "image",
    "anomaly",
    "spans",
    "tensors",
]
"""How an answer is drawn: the report and the page know kinds, not tasks."""

Column = Literal[
    "text",
    "integer",
    "number",
    "boolean",
    "choices",
    "areas",
    "regions",
    "boxes",
    "points",
    "instances",
    "spans",
    "neighbours",
    "integers",
    "numbers",
    "doubles",
    "booleans",
]
"""The type of a column in a table of rows; `choices` is a list of label, index and score, `areas` of label, index,
pixels and share, `regions` of these and segmentation, `boxes` of label, index, score and box, `instances` of these,
area and segmentation, `points` of label, index, x, y, score, visibility and outside, `spans` of label, start, end,
score and text, `neighbours` of path and similarity. The plural ones of numbers are lists: `numbers` of float32,
`doubles` of float64."""
LISTS = frozenset({"choices", "areas", "regions", "boxes", "instances", "points", "spans"})
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
    places: Sequence[TextPlaces] = ()
    """For a task that `finds_in_text`: where the tokens are in the text; one for `read`, of each row for `kept`."""


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


class Tiled(msgspec.Struct, frozen=True):
    """An image in tiles, and how what is answered for one is brought back to it."""

    grid: Grid
    way: WayBack
    """From a prepared tile to a tile; the same for all of the image."""
    ask: Ask
    reading: Reading


class Merging(Protocol):
    """Makes one answer of those for the tiles of an image."""

    def add(self, row: Outputs, tile: Tile) -> None:
        """Take a tile's row of each output; tiles come in the order of the grid. It keeps nothing of the arrays."""

    def answer(self) -> msgspec.Struct | InputError:
        """What is answered for the image."""


Merges = Mapping[Merge, Callable[[Tiled], Merging]]
"""What makes one answer of many, by its name; the first is the usual one."""


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


Sources = Mapping[str, str | None]
"""What is said of what an image shows: by a file beside it, `.cls`, and by its folder's name; None: nothing."""


class AnswerTally(Protocol):
    """Counts the answers of a run while it runs: its memory does not grow with the images."""

    def add(self, row: Row, truths: Sources) -> None:
        """Count the row of one image that could be read; `truths` has what its sources say it shows."""

    def lines(self) -> list[str]:
        """A summary of the answers, in a few lines."""

    def verdict(self) -> str:
        """How many are right, if that is known; else empty."""


class RowTally(AnswerTally, Protocol):
    """Of a task on rows."""

    def add_columns(self, columns: Mapping[str, ColumnValues], answered: NDArray[np.bool_]) -> None:
        """Count rows of a file, column by column; `answered`: which of them have an answer."""


class NoTally:
    """Nothing is counted."""

    def __init__(self, reading: Reading) -> None:
        del reading

    def add(self, row: Row, truths: Sources) -> None:
        """Nothing to count."""

    def add_columns(self, columns: Mapping[str, ColumnValues], answered: NDArray[np.bool_]) -> None:
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
class Known:
    """How it is known what an image should have been answered with, among the `Shown.groups` of rows."""

    truths: Callable[[Row, Sources, Reading], Sources]
    """The right answer by each of the sources that may know it, the most reliable first; None where it does not."""
    names: Callable[[Reading], Sequence[str]]
    """All answers, in their order."""
    needed: str | None = None
    """An answer that must be right for some image, or the sources know nothing."""


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


def _only_one_by_one(*_: object) -> Any:
    """For tasks on images."""
    raise NotImplementedError("images are answered one by one")


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
    has_audio: bool = False
    """Whether items are recordings, as the deployment facts say (`fields.audio`)."""
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
    row_with_runs: Callable[[Any], Row] | None = None
    """As `row`, where each of the `areas` has its pixels as well, so that these are `regions`."""
    kept: Callable[[Outputs, Ask, Reading], dict[str, NDArray[Any]]] = _only_one_by_one
    """For a task on rows: what is kept of a batch of outputs, arrays [batch, …] that `values` makes columns of."""
    values: Callable[[Mapping[str, Any], Ask, Reading], dict[str, ColumnValues]] = _only_one_by_one
    """What was kept, as `columns`: for each row what `row` makes of the answer that `read` reads."""
    headings: tuple[str, str, str] = ("answer", "score", "next")
    """Headings of a table with the title, the score and the runners-up."""
    tally: Callable[[Reading], AnswerTally] = NoTally
    known: Known | None = None
    """Of a task with one answer among some: where the right one is known."""
    agreement: Agreement | None = None
    metric: Metric | None = None
    in_order_of: Callable[[Outputs, Outputs], Outputs] = lambda found, _: found
    """The first outputs with what they answer in the order of the second ones, where the order says nothing: before
    two runs are compared."""
    size_of: Callable[[Sequence[int | str]], int | None] = last_side
    """From the shape of the first output, how many labels there are; None if it does not say."""
    maps_back: bool = False
    """Whether answers have positions, which are given in the image as it was: `read` needs each ask's `way`."""
    merges: Callable[[Reading], Merges] = lambda _: {}
    """Of a task whose answers for tiles can be made one: how."""
    finds_in_text: bool = False
    """Whether answers are about parts of a text, in its characters: `read` needs each ask's `places`."""
    draws_masks: bool = False
    """Whether an answer has a `mask`, the class or the instance of each pixel."""
    drawn: Callable[[Any], Image.Image | None] | None = None
    """An answer as a picture that lies over its image, in 8 bits of grey or colours, with alpha or without."""
    has_drawn: Callable[[Reading], bool] = lambda _: True
    """Of a task with `drawn`: whether this model's answers are pictures."""
    file: AnswerFile | None = None
    """What a run writes to a file of its own for each image."""
    rows_have_masks: bool = False
    """Whether its rows hold the masks, so that files of them are written only when they are asked for."""
    takes_top_k: bool = False
    takes_threshold: bool = False
    has_scores: Callable[[Reading], bool] = lambda _: True
    """Of a task that takes a threshold: whether this model's answers have the scores that it is for."""
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

    def reads_threshold(self, reading: Reading) -> bool:
        """Whether a threshold says something of this model's answers."""
        return self.takes_threshold and self.has_scores(reading)

    def named_in_order_of(self, found: NamedOutputs, truth: NamedOutputs) -> NamedOutputs:
        """As `in_order_of`, by the names of the outputs, of which `truth` has them in the graph's order."""
        ordered = self.in_order_of([found[name] for name in truth], list(truth.values()))
        return dict(zip(truth, ordered, strict=True))

    @property
    def has_fields(self) -> bool:
        """Whether items are rows whose values the deployment facts say."""
        return self.fields_kind is not None

    @property
    def fields_kind(self) -> Literal["columns", "text", "audio"] | None:
        """What a row is, where the deployment facts say it."""
        found: dict[Literal["columns", "text", "audio"], bool] = {
            "columns": self.has_columns,
            "text": self.has_text,
            "audio": self.has_audio,
        }
        return next((kind for kind, is_so in found.items() if is_so), None)

    def check_threshold(self, threshold: float | None, reading: Reading, *, name: str) -> None:
        """Raise UsageError for a threshold that this model cannot have."""
        if threshold is None:
            return
        if not self.reads_threshold(reading):
            raise UsageError(f"{name} ({self.name}) gives no scores that a threshold is for: leave it out")
        if not math.isfinite(threshold):
            raise UsageError(f"{name}: a threshold is a number, not {threshold}")
        if self.threshold_is_share and not 0 <= threshold <= 1:
            raise UsageError(f"{name}: a threshold of task {self.name} is from 0 to 1, not {threshold:g}")

    def check_tiles(self, tiles: Tiles, reading: Reading) -> Merge:
        """How tiles are merged. Raises ValueError for a task that takes none, and for another way than it has."""
        merges = self.merges(reading)
        if not merges:
            parts = "answers for parts of an image do not make one for the whole" if self.takes_images else "no images"
            raise ValueError(f"tiles are not for task {self.name}: {parts}")
        if tiles.merge is None:
            return next(iter(merges))
        if tiles.merge not in merges:
            known = " or ".join(merges)
            raise ValueError(f"tiles: these answers of task {self.name} are merged by {known}, not {tiles.merge}")
        return tiles.merge

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
