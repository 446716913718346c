"""Task `token-classification`: parts of a text that have a label, in its characters."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.column_values import ColumnValues, RaggedColumn
from lit_infer.rows.places import TextPlaces
from lit_infer.tasks.choices import most_common
from lit_infer.tasks.spec import Agreement, Ask, Metric, Outputs, Reading, Row, Shown, TaskSpec

_TITLE = 3
"""Spans that a title names."""
_PREFIXED = re.compile(r"([BILUESM])[-_](.+)")
_FIRST, _LAST = frozenset("BUS"), frozenset("LEUS")
"""Prefixes of tokens that begin a span, and that end one: of IOB2 (B, I), BILOU (and L, U) and BIOES (and E, S)."""


class SpanFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the labels of tokens become spans."""

    words: Literal["first", "mean"] | None = None
    """Of a word of several tokens: all have the label of the first one, or that of their mean. None: each its own."""
    outside: str = "O"
    """The label of tokens that are in no span."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Nothing can be wrong."""


class TextSpan(msgspec.Struct, frozen=True, gc=False):
    """A part of a text that has a label."""

    label: str
    """Without the prefix that tells where in a span a token is."""
    start: int
    """Its first character, from 0."""
    end: int
    """Behind its last character: `text[start:end]`."""
    score: float
    """The mean probability of its tokens' (or words') own labels, 0 to 1."""
    text: str


class TextSpans(msgspec.Struct, frozen=True, gc=False):
    """What was found in a text."""

    spans: tuple[TextSpan, ...]
    """In the order of the text."""
    unseen: int
    """Characters that the model did not see, since the text has more tokens than it takes."""


class Tag(NamedTuple):
    """A label without its prefix, and what the prefix says."""

    name: str | None
    """None: outside of any span."""
    begins: bool = False
    ends: bool = False


@dataclass(frozen=True)
class Tagging:
    """What the labels of a model mean."""

    tags: tuple[Tag, ...]
    merges: bool
    """Whether neighbours with one label are one span: where labels have prefixes, or say what is outside of spans."""

    @classmethod
    def of(cls, labels: Sequence[str], outside: str = "O") -> "Tagging":
        """Labels have prefixes where all but the outside one do, a B or I among them."""
        found = {label: _PREFIXED.fullmatch(label) for label in labels if label != outside}
        prefixes = {match[1] for match in found.values() if match}
        if found and all(found.values()) and prefixes & {"B", "I"}:
            return cls(tuple(_tag(found.get(label)) for label in labels), merges=True)
        return cls(tuple(Tag(None if label == outside else label) for label in labels), outside in labels)


def _tag(match: re.Match[str] | None) -> Tag:
    return Tag(None) if match is None else Tag(match[2], match[1] in _FIRST, match[1] in _LAST)


class LabelledPart(NamedTuple):
    """A token, or a word, with the label that it was given."""

    label: int
    score: float
    start: int
    end: int


def merged(parts: Sequence[LabelledPart], tagging: Tagging) -> list[tuple[str, list[LabelledPart]]]:
    """Spans: the name of each, and its parts. One that goes on where none of its name began, begins."""
    found: list[tuple[str, list[LabelledPart]]] = []
    is_open = False
    for part in parts:
        name, begins, ends = tagging.tags[part.label]
        if name is None:
            is_open = False
            continue
        if is_open and tagging.merges and not begins and found[-1][0] == name:
            found[-1][1].append(part)
        else:
            found.append((name, [part]))
        is_open = not ends
    return found


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[TextSpans]:
    """Probabilities [batch, tokens, labels] as spans of the texts."""
    labels = reading.labels or tuple(map(str, range(outputs[0].shape[-1])))
    tagging = Tagging.of(labels, reading.facts.outside)
    return [_read(row, ask, reading, tagging) for row, ask in zip(outputs[0], asks, strict=True)]


def _read(row: NDArray[Any], ask: Ask, reading: Reading, tagging: Tagging) -> TextSpans:
    places = ask.places[0] if ask.places else _unplaced(len(row))
    spans = []
    for name, parts in merged(_parts(row, places, reading.facts.words), tagging):
        start, end = _trimmed(places.text, min(part.start for part in parts), max(part.end for part in parts))
        score = float(np.mean([part.score for part in parts]))
        if end > start and (ask.threshold is None or score >= ask.threshold):
            spans.append(TextSpan(name, start, end, score, places.text[start:end]))
    return TextSpans(tuple(spans), places.unseen)


def _unplaced(count: int) -> TextPlaces:
    """Of tokens whose text is not known: each is a character, so that there are places at all."""
    return TextPlaces("?" * count, [(one, one + 1) for one in range(count)], list(range(count)), [0] * count, 0)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the spaces that some tokenizers count as the beginning of a token."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _parts(row: NDArray[Any], places: TextPlaces, words: str | None) -> list[LabelledPart]:
    """The tokens of the text, or its words, each with its best label. What stands for no character is left out."""
    groups: list[list[int]] = []
    before: int | None = None
    for index, ((start, end), word, special) in enumerate(
        zip(places.offsets, places.words, places.special, strict=True)
    ):
        if special or start == end:
            before = None
            continue
        if words is not None and word is not None and word == before:
            groups[-1].append(index)
        else:
            groups.append([index])
        before = word
    if not groups:
        return []
    own = row[places.first : places.first + len(places.offsets)]
    if words == "mean":
        scores = np.stack([own[group].mean(0) for group in groups])
    else:
        scores = own[[group[0] for group in groups]]
    best = scores.argmax(-1)
    sure = scores[np.arange(len(groups)), best]
    ends = [(places.offsets[group[0]][0], places.offsets[group[-1]][1]) for group in groups]
    return [
        LabelledPart(label, score, start, end)
        for label, score, (start, end) in zip(best.tolist(), sure.tolist(), ends, strict=True)
    ]


def kept(outputs: Outputs, ask: Ask, reading: Reading) -> dict[str, NDArray[Any]]:
    """The text and its spans of each row as JSON in bytes, filled up with spaces."""
    rows = msgspec.structs.replace(ask, places=())
    asks = [msgspec.structs.replace(rows, places=(one,)) for one in ask.places] or [rows] * len(outputs[0])
    found = read(outputs, asks, reading)
    texts = [one.places[0].text if one.places else "" for one in asks]
    lines = [json.dumps({"text": text, **row(answer)}).encode() for text, answer in zip(texts, found, strict=True)]
    width = max(map(len, lines), default=0)
    joined = b"".join(line.ljust(width) for line in lines)
    return {"found": np.frombuffer(joined, dtype=np.uint8).reshape(len(lines), width)}


def found_in(arrays: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was kept: for each row its text and its columns; nothing for a row without an answer."""
    column = arrays["found"]
    rows = column.lists() if isinstance(column, RaggedColumn) else column
    empty = {"text": "", "spans": [], "unseen": 0}
    return [json.loads(line) if (line := one.tobytes().strip(b" \0")) else empty for one in rows]


def values(arrays: Mapping[str, Any], ask: Ask, reading: Reading) -> dict[str, ColumnValues]:
    """That as columns."""
    del ask, reading
    found = found_in(arrays)
    return {"spans": [one["spans"] for one in found], "unseen": np.array([one["unseen"] for one in found], np.int64)}


def row(answer: TextSpans) -> Row:
    """An answer as columns."""
    return {"spans": [msgspec.structs.asdict(span) for span in answer.spans], "unseen": answer.unseen}


def show(line: Row) -> Shown:
    """A row as it is displayed."""
    named = [f"{span['text']} ({span['label']})" for span in line["spans"]]
    more = f", and {len(named) - _TITLE} more" if len(named) > _TITLE else ""
    cut = f"; {line['unseen']:,} characters cut off" if line["unseen"] else ""
    return Shown((", ".join(named[:_TITLE]) or "nothing") + more + cut)


class SpanTally:
    """Counts spans, texts without any, and those that were cut."""

    def __init__(self, reading: Reading) -> None:
        del reading
        self._spans: Counter[str] = Counter()
        self._empty = self._cut = 0

    def add(self, line: Row, truths: Mapping[str, str | None]) -> None:
        """Count a row."""
        del truths
        self._spans.update(span["label"] for span in line["spans"])
        self._empty += not line["spans"]
        self._cut += line["unseen"] > 0

    def add_columns(self, columns: Mapping[str, ColumnValues], answered: NDArray[np.bool_]) -> None:
        """Count rows of a file."""
        for spans, unseen, is_answered in zip(columns["spans"], columns["unseen"], answered, strict=True):  # type: ignore[arg-type]
            if is_answered:
                self.add({"spans": spans, "unseen": unseen}, {})

    def lines(self) -> list[str]:
        """Spans of each label, texts without any, and texts that were cut."""
        lines = [f"spans: {most_common(self._spans)}"] if self._spans else []
        if self._empty:
            lines.append(f"texts without a span: {self._empty:,}")
        if self._cut:
            lines.append(f"texts with more tokens than the model takes, whose rest it did not see: {self._cut:,}")
        return lines

    def verdict(self) -> str:
        """Nothing is known."""
        return ""


def same_labels(one: NDArray[Any], other: NDArray[Any], _: Reading) -> NDArray[np.float64]:
    """For each row [tokens, labels], the share of its tokens with the same label; also for tokens [labels] alone."""
    same = one.argmax(-1) == other.argmax(-1)
    shares: NDArray[np.float64] = same.reshape(len(same), -1).mean(1)
    return shares


TASK = TaskSpec(
    name="token-classification",
    does="finds parts of texts",
    kind="spans",
    takes_images=False,
    has_text=True,
    facts=SpanFacts,
    answer=TextSpans,
    read=read,
    columns=lambda _: {"spans": "spans", "unseen": "integer"},
    row=row,
    kept=kept,
    values=values,
    show=show,
    headings=("found", "", ""),
    tally=SpanTally,
    agreement=Agreement("equal labels of tokens", same_labels),
    metric=Metric("span F1", better="max"),
    finds_in_text=True,
    takes_threshold=True,
    nouns=("label", "labels"),
    pipeline_tag="token-classification",
    cautions=("What it was not trained to find it does not report. Of a text that is cut, the rest is not looked at.",),
)
