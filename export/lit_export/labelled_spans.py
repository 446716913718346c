"""Texts and the spans that are known in them: in the column that `--target` names, of the file behind `--data`.

{"text": "Anna lives in Bern", "spans": [{"label": "PER", "start": 0, "end": 4}, …]}
{"text": "Anna lives in Bern", "tags": ["B-PER", "O", "O", "B-LOC"]}      one for each word between spaces
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lit_export.labelled import Labelled, Question
from lit_export.labelled_rows import rows
from lit_infer.errors import InputError
from lit_infer.tasks.token_classification import LabelledPart, SpanFacts, Tagging, merged

Spans = frozenset[tuple[str, int, int]]
"""The label of each, its first character, and the one behind its last."""
_SHOWN = 60


def spans(question: Question) -> Labelled:
    """Texts, and the spans of each."""
    labels = tuple(question.labels or map(str, range(question.size)))
    outside = question.answers.get("outside", SpanFacts().outside)
    known = _Known(labels, Tagging.of(labels, outside))
    return rows(question, known.spans, 1)


@dataclass(frozen=True)
class _Known:
    """The labels that a span can have."""

    labels: tuple[str, ...]
    tagging: Tagging

    def spans(self, cells: Sequence[Any], row: Mapping[str, Any]) -> Spans:
        """Of a row. Raises InputError for what is neither spans nor tags of its text."""
        (cell,) = cells
        text, listed = str(next(iter(row.values()))), _listed(cell)
        if all(isinstance(one, str) for one in listed) and (listed or not text.split()):
            return self._of_tags(text, listed)
        return frozenset(self._span(text, one) for one in listed)

    def _span(self, text: str, one: Any) -> tuple[str, int, int]:
        found = (one.get("label"), one.get("start"), one.get("end")) if isinstance(one, dict) else (None, None, None)
        label, start, end = found
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)):
            raise _wrong(one, f'it must be {{"label": …, "start": …, "end": …}} within its {len(text)} characters')
        names = dict.fromkeys(tag.name for tag in self.tagging.tags if tag.name is not None)
        if label not in names:
            raise _wrong(one, f"the labels of spans are {', '.join(list(names)[:5])}")
        return str(label), start, end

    def _of_tags(self, text: str, tags: Sequence[str]) -> Spans:
        words = [match.span() for match in re.finditer(r"\S+", text)]
        if len(words) != len(tags):
            raise InputError(f"it has {len(tags)} tags and {len(words)} words between spaces", code="bad_value")
        if unknown := [tag for tag in tags if tag not in self.labels]:
            raise _wrong(unknown[0], f"the labels are {', '.join(self.labels[:5])}")
        parts = [LabelledPart(self.labels.index(tag), 1.0, *word) for tag, word in zip(tags, words, strict=True)]
        return frozenset((name, own[0].start, own[-1].end) for name, own in merged(parts, self.tagging))


def _listed(cell: Any) -> list[Any]:
    """A cell as a list; of CSV, as JSON in its text."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except ValueError:
            cell = None
    if not isinstance(cell, list):
        raise InputError("its spans are no list: of objects with label, start and end, or of tags", code="bad_value")
    return cell


def _wrong(what: Any, why: str) -> InputError:
    return InputError(f"it has {str(what)[:_SHOWN]!r}, and {why}", code="bad_value")
