"""Spans of texts: how labels of tokens become them, and a model that finds some, from every side."""

import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import torch

from lit_infer import load
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.rows.places import TextPlaces
from lit_infer.tasks import TASKS, Ask, Reading
from lit_infer.tasks.token_classification import (
    LabelledPart,
    Tagging,
    TextSpan,
    found_in,
    kept,
    merged,
    read,
    same_labels,
    values,
)
from tests.support.server.process import command
from tests.support.texts import LABELS, SENTENCES, Tagger, prepare, tokenizer

BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def names(labels: tuple[str, ...], given: str, outside: str = "O") -> list[tuple[str, int]]:
    """The spans of tokens with these labels: the name of each, and how many tokens it has."""
    parts = [LabelledPart(labels.index(label), 1.0, at, at + 1) for at, label in enumerate(given.split())]
    return [(name, len(own)) for name, own in merged(parts, Tagging.of(labels, outside))]


@pytest.mark.parametrize(
    ("labels", "given", "wanted"),
    [
        (BIO, "B-PER I-PER O B-LOC", [("PER", 2), ("LOC", 1)]),
        (BIO, "B-PER B-PER", [("PER", 1), ("PER", 1)]),
        (BIO, "I-PER I-PER O I-LOC", [("PER", 2), ("LOC", 1)]),  # IOB1, or a model's slip
        (BIO, "B-PER I-LOC I-LOC", [("PER", 1), ("LOC", 2)]),
        (("O", "B-X", "I-X", "L-X", "U-X"), "B-X I-X L-X I-X U-X U-X", [("X", 3), ("X", 1), ("X", 1), ("X", 1)]),
        (("O", "B_X", "I_X", "E_X", "S_X"), "B_X E_X S_X I_X", [("X", 2), ("X", 1), ("X", 1)]),
        (("O", "PER", "LOC"), "PER PER LOC O LOC", [("PER", 2), ("LOC", 1), ("LOC", 1)]),
        (("NOUN", "VERB"), "NOUN NOUN VERB", [("NOUN", 1), ("NOUN", 1), ("VERB", 1)]),
        (("O", "B-PER", "E-MAIL", "OTHER"), "B-PER E-MAIL", [("B-PER", 1), ("E-MAIL", 1)]),
    ],
)
def test_labels_of_tokens_are_merged_as_their_prefixes_say(
    labels: tuple[str, ...], given: str, wanted: list[tuple[str, int]]
) -> None:
    assert names(labels, given) == wanted


def test_the_label_outside_of_spans_may_have_another_name() -> None:
    assert names(("none", "B-X", "I-X"), "B-X I-X none I-X", "none") == [("X", 2), ("X", 1)]
    assert names(("X", "none"), "X X none", "none") == [("X", 2)]


def reading(**facts: Any) -> Reading:
    return TASKS["token-classification"].reading(labels=BIO, answers=facts, size=5)


def placed(text: str, *tokens: str, words: list[int | None] | None = None, first: int = 0) -> TextPlaces:
    """Tokens of a text in their order, between two special ones."""
    offsets, at = [(0, 0)], 0
    for token in tokens:
        start = text.index(token, at)
        offsets.append((start, at := start + len(token)))
    own = words or list(range(len(tokens)))
    return TextPlaces(text, [*offsets, (0, 0)], [None, *own, None], [1, *[0] * len(tokens), 1], first)


def scores(*rows: tuple[int, float]) -> Any:
    """Probabilities [1, tokens, labels]: of each token the best label and its score."""
    made = np.full((1, len(rows), 5), 0.01, dtype=np.float32)
    for at, (label, score) in enumerate(rows):
        made[0, at, label] = score
    return made


TEXT = "Anna Li, Bern"
ROW = scores((1, 0.9), (1, 0.9), (2, 0.5), (0, 0.6), (3, 0.8), (4, 0.99))
TOKENS = placed(TEXT, "Anna", "Li", ",", "Bern")


def test_a_span_is_in_characters_and_special_tokens_are_in_none() -> None:
    (found,) = read([ROW], [Ask(places=(TOKENS,))], reading())

    assert [msgspec.structs.astuple(one) for one in found.spans] == [
        ("PER", 0, 7, pytest.approx(0.7), "Anna Li"),
        ("LOC", 9, 13, pytest.approx(0.8), "Bern"),
    ]


def test_a_span_below_the_threshold_is_left_out() -> None:
    (found,) = read([ROW], [Ask(places=(TOKENS,), threshold=0.75)], reading())

    assert [one.text for one in found.spans] == ["Bern"]


def test_padding_is_in_no_span_on_either_side() -> None:
    shifted = np.concatenate([scores((3, 1.0), (3, 1.0)), ROW], axis=1)
    right = np.concatenate([ROW, scores((3, 1.0), (3, 1.0))], axis=1)

    (on_left,) = read([shifted], [Ask(places=(placed(TEXT, "Anna", "Li", ",", "Bern", first=2),))], reading())
    (on_right,) = read([right], [Ask(places=(TOKENS,))], reading())

    assert on_left == on_right == read([ROW], [Ask(places=(TOKENS,))], reading())[0]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (None, [("PER", "An"), ("LOC", "na")]),
        ("first", [("PER", "Anna")]),
        ("mean", [("LOC", "Anna")]),
    ],
)
def test_the_tokens_of_a_word_have_their_own_labels_or_one(words: str | None, wanted: list[tuple[str, str]]) -> None:
    row = scores((0, 1.0), (1, 0.5), (3, 0.9), (0, 1.0), (0, 1.0))
    places = placed("Anna in", "An", "na", "in", words=[0, 0, 1])

    (found,) = read([row], [Ask(places=(places,))], reading(words=words))

    assert [(one.label, one.text) for one in found.spans] == wanted


def test_a_space_that_a_tokenizer_counts_to_its_token_is_not_in_the_span() -> None:
    (found,) = read([scores((0, 1.0), (3, 0.9), (0, 1.0))], [Ask(places=(placed("in Bern", " Bern"),))], reading())

    assert found.spans == (TextSpan("LOC", 3, 7, pytest.approx(0.9), "Bern"),)


def test_rows_of_a_file_have_what_single_answers_have() -> None:
    rows = np.concatenate([ROW, scores(*[(0, 1.0)] * 6)])
    other = TextPlaces("ein \u00fc", [(0, 0), (4, 5), (0, 0)], [None, 0, None], [1, 0, 1], 0, unseen=7)
    asks = [Ask(places=(TOKENS,)), Ask(places=(other,))]

    arrays = kept([rows], Ask(places=(TOKENS, other)), reading())
    columns = values(arrays, Ask(), reading())

    task = TASKS["token-classification"]
    answers = [task.row(one) for one in read([rows], asks, reading())]
    assert [columns["spans"][row] for row in range(2)] == [one["spans"] for one in answers]  # type: ignore[index]
    assert list(columns["unseen"]) == [0, 7]  # type: ignore[arg-type]
    assert [one["text"] for one in found_in(arrays)] == [TEXT, "ein \u00fc"]


def test_agreement_is_of_tokens() -> None:
    other = ROW.copy()
    other[0, 0] = other[0, 0, ::-1]

    assert same_labels(ROW, other, reading()).tolist() == [5 / 6]
    assert same_labels(ROW[0], other[0], reading()).mean() == 5 / 6


def eager(text: str) -> list[tuple[str, int, int]]:
    """Spans of a text, from the module itself: each word has the label of its first token."""
    with torch.no_grad():
        labels = Tagger().eval()(**prepare({"text": text}))[0].argmax(-1).tolist()
    cut = tokenizer()
    cut.enable_truncation(12)
    found = cut.encode(text)
    spans: list[tuple[str, int, int]] = []
    word, before = None, "O"
    for label, (start, end), own in zip(labels, found.offsets, found.word_ids, strict=True):
        if own is None:
            continue
        name = before if own == word else LABELS[label]
        if name[2:] and (own == word or (name[0] == "I" and before[2:] == name[2:])):
            spans[-1] = (name[2:], spans[-1][1], end)
        elif name[2:]:
            spans.append((name[2:], start, end))
        word, before = own, name
    return spans


def test_spans_are_those_of_the_module_from_every_side(tagger: Path, tmp_path: Path) -> None:
    texts = [*SENTENCES, "Films and actings, unknowable"]
    (tmp_path / "lines.txt").write_text("".join(f"{text}\n" for text in texts))
    with load(tagger, device="cpu") as model:
        run_job(model, parse([str(tmp_path / "lines.txt")]), Job(output=tmp_path / "o.jsonl", batch_size=3))
        single = [one.answer for one in model.predict(texts)]
        submitted = [model.submit(text).result().answer for text in texts]
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]

    assert any(one.spans for one in single)
    for text, answer, row, other in zip(texts, single, rows, submitted, strict=True):
        found = [(one.label, one.start, one.end) for one in answer.spans]
        assert found == eager(text)
        assert found == [(one["label"], one["start"], one["end"]) for one in row["spans"]]
        assert found == [(one.label, one.start, one.end) for one in other.spans]
        assert row["unseen"] == answer.unseen
        assert all(one.text == text[one.start : one.end] for one in answer.spans)
    assert single[6].unseen > 0


def test_a_row_that_is_no_text_fails_alone_and_the_report_shows_the_others(tagger: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "the best film"}\n{"text": 7}\n{"text": null}\n')
    job = Job(output=tmp_path / "o.csv", report=tmp_path / "r.html")
    with load(tagger, device="cpu") as model:
        summary = run_job(model, parse([str(tmp_path / "rows.jsonl")]), job)

    lines = (tmp_path / "o.csv").read_text().splitlines()
    assert lines[0] == "path,row,spans,unseen,error,code,model"
    assert [",bad_value," in line or ",missing," in line for line in lines[1:]] == [False, True, True]
    assert (summary.count, summary.failed) == (3, 2)
    page = (tmp_path / "r.html").read_text()
    assert '<td class="spans">' in page
    assert "<mark class=" in page


def test_a_server_answers_spans(tagger: Path, tmp_path: Path) -> None:
    with command(str(tagger), "--quiet", "--no-grpc", cwd=tmp_path) as server, load(tagger) as model:
        one = httpx.post(f"{server.url}/predict", json={"text": SENTENCES[0]}).json()
        several = httpx.post(f"{server.url}/predict?threshold=0.6", json=[SENTENCES[6], "film"]).json()
        wanted = [found.answer for found in model.predict([SENTENCES[6], "film"], threshold=0.6)]
        (first,) = model.predict([SENTENCES[0]])

    assert one["kind"] == "spans"
    assert [(s["start"], s["end"], s["label"], s["text"]) for s in one["spans"]] == [
        (s.start, s.end, s.label, s.text) for s in first.answer.spans
    ]
    assert [found["unseen"] for found in several["predictions"]] == [found.unseen for found in wanted]
    assert [[s["text"] for s in found["spans"]] for found in several["predictions"]] == [
        [s.text for s in found.spans] for found in wanted
    ]
