"""The spans that are known in labelled texts."""

import json
from pathlib import Path
from typing import Any

import pytest

from lit_export.front.tokenizer import text_facts
from lit_export.judge import Judge, judge_for
from lit_export.labelled_spans import Spans, spans
from lit_export.options import Options
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.facts import RowFields, TextField
from tests.support.targets import target_for
from tests.support.texts import LABELS, Tagger, write_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tok"))


def judged(folder: Path, path: Path, *rows: Any, target: tuple[str, ...] = ("truth",)) -> Judge:
    """Of the tagger, on these rows: (text, cell)."""
    path.write_text("".join(json.dumps({"text": text, "truth": cell}) + "\n" for text, cell in rows))
    facts = TextField(**text_facts(Options(tokenizer=folder)))
    described = DeploymentFacts(task="token-classification", labels=LABELS, fields=RowFields(text=facts))
    return judge_for(
        target_for(Tagger().eval(), described, tokenizer=folder), Options(tokenizer=folder, data=path, target=target)
    )


def truths(judge: Judge) -> list[Spans]:
    return [truth for _, truth in judge.labelled]


def test_spans_are_given_as_objects_or_as_tags_of_words(folder: Path, tmp_path: Path) -> None:
    tags = ["B-WHO", "I-WHO", "O", "B-PART"]

    found = judged(
        folder,
        tmp_path / "a.jsonl",
        ("Anna Li in  Bern", tags),
        ("Anna Li in  Bern", [{"label": "PART", "start": 12, "end": 16, "note": "as many as there are"}]),
        ("Anna Li in  Bern", json.dumps(tags)),
        ("", []),
    )

    both = {("WHO", 0, 7), ("PART", 12, 16)}
    assert truths(found) == [both, {("PART", 12, 16)}, both, set()]
    assert found.eager is not None
    assert set(found.eager) == {"span F1", "precision", "recall"}


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (["O"], "row 0 cannot be used: it has 1 tags and 2 words between spaces"),
        (["O", "B-X"], "it has 'B-X', and the labels are O, B-PART, I-PART, B-WHO, I-WHO"),
        ([{"label": "WHO", "start": 3, "end": 99}], "within its 7 characters"),
        ([{"label": "X", "start": 0, "end": 1}], "the labels of spans are PART, WHO"),
        ([["WHO", 0, 1]], "it must be {"),
        ("Anna", "its spans are no list"),
        (None, "its spans are no list"),
    ],
)
def test_a_truth_that_is_not_clear_ends_the_export(folder: Path, tmp_path: Path, cell: Any, said: str) -> None:
    with pytest.raises(GateError, match=said):
        judged(folder, tmp_path / "a.jsonl", ("Anna Li", cell))


def test_the_column_must_be_named(folder: Path, tmp_path: Path) -> None:
    assert callable(spans)
    with pytest.raises(UsageError, match="needs the column that has the truth: --target NAME"):
        judged(folder, tmp_path / "a.jsonl", ("film", []), target=())
