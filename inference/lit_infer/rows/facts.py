"""The facts of a row's values: `fields` of the deployment facts and of the manifest, as typed structs."""

import math
from typing import Any, Literal

from msgspec import Struct

CategoryName = str | int
"""A category as the vocabulary has it."""


class NumberColumn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number, standardised as (value - mean) / scale."""

    missing: float | None = None
    """What stands for a missing value, before it is standardised; None: it is an error of its row."""
    mean: float = 0.0
    scale: float = 1.0
    precision: Literal["float64", "float32"] = "float64"
    """In which values come and results are kept: training's own. Either way the model gets float32."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.scale)) or self.scale == 0:
            raise ValueError(f"number: mean {self.mean} and scale {self.scale} must be finite, and scale not 0")
        if self.missing is not None and not math.isfinite(self.missing):
            raise ValueError(f"number: missing is {self.missing}, which is no number to stand for one")

    def describe(self) -> str:
        """What becomes of a value, in words."""
        is_plain = (self.mean, self.scale) == (0, 1)
        what = "a number" if is_plain else f"a number, less {self.mean:.6g}, divided by {self.scale:.6g}"
        return what if self.missing is None else f"{what}; {self.missing:.6g} stands for a missing one"


class CategoryColumn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A category: its index in the vocabulary, or a 1 at that place among zeros."""

    vocabulary: tuple[CategoryName, ...]
    unknown: int | None = None
    """The index of a category that is not in the vocabulary, -1 with `one_hot` for zeros; None: an error of its row."""
    missing: int | None = None
    """The same of a missing value."""
    one_hot: bool = False

    def __post_init__(self) -> None:
        texts = list(map(str, self.vocabulary))
        if len(set(texts)) < len(texts) or not texts:
            raise ValueError("category: the vocabulary needs at least one category, and none of them twice")
        for name, index in (("unknown", self.unknown), ("missing", self.missing)):
            most = len(texts) - self.one_hot  # an index of its own may follow the vocabulary's
            if index is not None and not -1 <= index <= most:
                raise ValueError(f"category: {name} is {index}, and the indices are -1 to {most}")

    def describe(self) -> str:
        """What becomes of a value, in words."""
        what = f"one of {len(self.vocabulary)} categories, {'one-hot' if self.one_hot else 'its index'}"
        for name, index in (("an unknown one", self.unknown), ("a missing one", self.missing)):
            if index is not None:
                what += f"; {name} is {'zeros' if self.one_hot and index == -1 else index}"
        return what


class BooleanColumn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """True or false, as 1 or 0."""

    missing: float | None = None
    """What stands for a missing value; None: it is an error of its row."""

    def describe(self) -> str:
        """What becomes of a value, in words."""
        return "true or false" + ("" if self.missing is None else f"; {self.missing:g} stands for a missing one")


class TableColumn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of a table, of one kind."""

    name: str
    number: NumberColumn | None = None
    category: CategoryColumn | None = None
    boolean: BooleanColumn | None = None

    def __post_init__(self) -> None:
        kinds = [one for one in (self.number, self.category, self.boolean) if one is not None]
        if len(kinds) != 1:
            raise ValueError(f"column {self.name}: give one of number, category and boolean")

    @property
    def kind(self) -> NumberColumn | CategoryColumn | BooleanColumn:
        """What it holds."""
        found: Any = self.number or self.category or self.boolean
        kind: NumberColumn | CategoryColumn | BooleanColumn = found
        return kind

    @property
    def width(self) -> int:
        """Numbers that the model gets for it."""
        return len(self.category.vocabulary) if self.category is not None and self.category.one_hot else 1

    @property
    def is_index(self) -> bool:
        """Whether it becomes an index, int64, and not float32."""
        return self.category is not None and not self.category.one_hot


LEAST_RATE, MOST_RATE = 1_000, 768_000
"""Samples per second, of a model and of a file."""
MOST_SECONDS = 600
"""Of a recording, as far as it is decoded: more would fill the memory from a small file."""

TokenPart = Literal["ids", "mask", "types"]
"""What an input of a text model is: token ids, 1 where there is a token, or which of two texts it belongs to."""


class TextField(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text, or a pair of them, as token ids; the tokenizer is a file of the bundle."""

    tokenizer_sha256: str
    """Of `tokenizer.json`, as Hugging Face's tokenizers write it."""
    column: str = "text"
    pair: str | None = None
    """The column of a second text."""
    max_length: int
    """Tokens of a row at most, special ones among them."""
    truncation: Literal["right", "left", "error"] = "right"
    """Which end of a longer text is cut off; error: it is an error of its row."""
    padding: Literal["longest", "fixed"] = "longest"
    """To the longest row of a batch, or to `max_length`."""
    pad_to_multiple: int = 1
    padding_side: Literal["right", "left"] = "right"
    pad_id: int = 0
    special_tokens: bool = True
    inputs: dict[str, TokenPart] | None = None
    """By the name of an input; None in a spec: as the module's `forward` calls them."""

    def __post_init__(self) -> None:
        if self.max_length < 1 or self.pad_to_multiple < 1 or self.pad_id < 0:
            raise ValueError("text: max_length and pad_to_multiple are at least 1, and pad_id at least 0")
        if self.inputs is not None and "ids" not in self.inputs.values():
            raise ValueError("text: one of the inputs must be the ids")
        if self.pair == self.column:
            raise ValueError(f"text: both texts are called {self.column}")

    def describe(self) -> str:
        """What becomes of a text, in words."""
        cut = {"right": "its end cut off", "left": "its beginning cut off", "error": "longer ones refused"}[
            self.truncation
        ]
        length = "the longest of the batch" if self.padding == "longest" else f"{self.max_length}"
        return f"a text, as at most {self.max_length} tokens ({cut}), padded to {length}"


class AudioField(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recording, as float32 samples from -1 to 1 at one rate; all channels are mixed into one, their mean."""

    rate: int
    """Samples per second that the model takes."""
    samples: int
    """Samples of a row: [batch, samples]."""
    longer: Literal["start", "center", "chunks", "error"] = "start"
    """Of a longer recording: its start, its middle, or all its parts, whose answers are averaged; or it is an error."""
    hop: int | None = None
    """With chunks: from the start of one to that of the next; None: `samples`, so that they do not overlap."""
    shorter: Literal["zeros", "repeat", "error"] = "zeros"
    """A shorter one, or the last chunk, is filled up with zeros at its end; a shorter one is repeated; or an error."""
    resampling: Literal["soxr_vhq", "soxr_hq", "soxr_mq", "soxr_lq", "soxr_qq"] = "soxr_hq"
    """The quality of soxr, as librosa calls it."""
    has_channel: bool = False
    """Whether the input is [batch, 1, samples]."""
    input: str = "audio"
    """The name of the input."""

    def __post_init__(self) -> None:
        if not LEAST_RATE <= self.rate <= MOST_RATE:
            raise ValueError(f"audio: the rate is {LEAST_RATE:,} to {MOST_RATE:,} samples a second, not {self.rate:,}")
        if not 1 <= self.samples <= MOST_SECONDS * self.rate:
            raise ValueError(f"audio: samples are 1 to {MOST_SECONDS * self.rate:,}, {MOST_SECONDS} s at this rate")
        if self.hop is not None and (self.longer != "chunks" or not 1 <= self.hop <= self.samples):
            raise ValueError("audio: hop is for longer: chunks, and from 1 to samples")
        if self.longer == "chunks" and self.shorter != "zeros":
            raise ValueError("audio: with chunks what is shorter is filled up (shorter: zeros)")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a row."""
        return (1, self.samples) if self.has_channel else (self.samples,)

    def describe(self) -> str:
        """What becomes of a recording, in words."""
        hop = self.hop or self.samples
        longer = {
            "start": "of a longer one its start",
            "center": "of a longer one its middle",
            "chunks": f"of a longer one the mean of the answers for chunks that begin every {hop / self.rate:.6g} s",
            "error": "a longer one refused",
        }[self.longer]
        shorter = {"zeros": "filled up with zeros", "repeat": "repeated", "error": "refused"}[self.shorter]
        return (
            f"a recording, mixed to one channel, at {self.rate:,} samples a second ({self.resampling}), "
            f"{self.samples / self.rate:.6g} s: {longer}, a shorter one {shorter}"
        )


class RowFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a row holds, and how it becomes the model's inputs."""

    columns: tuple[TableColumn, ...] = ()
    text: TextField | None = None
    """In place of columns: the row's text."""
    audio: AudioField | None = None
    """In place of columns: the row's recording."""
    inputs: dict[str, tuple[str, ...]] | None = None
    """By the name of an input, [batch, numbers]: its columns in order. None: one input, `rows`, with all of them.

    It is int64 where all of its columns are indices of categories, else float32.
    """

    def __post_init__(self) -> None:
        if self.text is not None or self.audio is not None:
            if self.columns or self.inputs is not None or (self.text is not None and self.audio is not None):
                raise ValueError("fields: give one of columns, text and audio")
            return
        names = [column.name for column in self.columns]
        if not names or len(set(names)) < len(names):
            raise ValueError("fields: at least one column is needed, and none of them twice")
        given = [name for columns in self.layout.values() for name in columns]
        if sorted(given) != sorted(names):
            odd = sorted({*given} ^ {*names}) or sorted(name for name in names if given.count(name) > 1)
            raise ValueError(f"fields: each column belongs to one input, and {', '.join(odd)} does not")

    @property
    def kind(self) -> Literal["columns", "text", "audio"]:
        """What a row is."""
        return "text" if self.text is not None else "audio" if self.audio is not None else "columns"

    @property
    def made(self) -> tuple[str, ...]:
        """The names of the inputs that they make."""
        if self.text is not None:
            return tuple(self.text.inputs or {})
        return tuple(self.layout) if self.audio is None else (self.audio.input,)

    @property
    def layout(self) -> dict[str, tuple[str, ...]]:
        """The columns of each input."""
        return self.inputs or {"rows": tuple(column.name for column in self.columns)}

    def of_inputs(self) -> dict[str, list[TableColumn]]:
        """The columns of each input, as structs."""
        by_name = {column.name: column for column in self.columns}
        return {name: [by_name[one] for one in columns] for name, columns in self.layout.items()}


def is_index_input(columns: list[TableColumn]) -> bool:
    """Whether an input of these columns is int64, and not float32."""
    return all(column.is_index for column in columns)
