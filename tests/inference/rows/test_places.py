"""Where tokens are in their text, as a real tokenizer says it."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer.rows.answering import prepared_together
from lit_infer.rows.facts import TextField
from lit_infer.rows.places import TextPlaces
from lit_infer.rows.text import TextFields
from tests.support.texts import MAX_LENGTH, write_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def places(folder: Path, *texts: str, **changes: Any) -> list[TextPlaces]:
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    facts = TextField(**{"tokenizer_sha256": digest, "max_length": MAX_LENGTH, "inputs": {"ids": "ids"}, **changes})
    fields = TextFields.opened(facts, folder, order=(), name="net")
    group = prepared_together(fields.block(list(texts)), fields)
    assert group.places is not None
    return list(group.places())


def test_tokens_are_counted_in_characters_also_of_text_that_is_no_ascii(folder: Path) -> None:
    (found,) = places(folder, "🙂 The film, naïve")

    pairs = zip(found.offsets, found.special, strict=True)
    texts = [found.text[start:end] for (start, end), special in pairs if not special]
    assert texts[:4] == ["🙂", "The", "film", ","]
    assert "".join(texts[4:]) == "naïve"
    assert (found.special[0], found.special[-1], found.unseen) == (1, 1, 0)
    assert len({word for word in found.words if word is not None}) == 5


def test_rows_of_a_request_have_their_own_places_in_their_order(folder: Path) -> None:
    found = places(folder, "the best acting in years", "film", "the end")

    assert [one.text for one in found] == ["the best acting in years", "film", "the end"]
    assert [one.first for one in found] == [0, 0, 0]


def test_padding_on_the_left_comes_before_the_first_token(folder: Path) -> None:
    found = places(folder, "the best acting in years", "film", padding_side="left")

    assert [one.first for one in found] == [0, len(found[0].offsets) - len(found[1].offsets)]


@pytest.mark.parametrize(("truncation", "unseen"), [("right", "film film"), ("left", "film film ")])
def test_characters_that_were_cut_off_are_counted(folder: Path, truncation: str, unseen: str) -> None:
    text = " ".join(["film"] * 12)  # ten of them fit beside the special tokens

    (found,) = places(folder, text, truncation=truncation)

    assert found.unseen == len(unseen) + (truncation == "right")
    assert text[found.unseen :].split() == ["film"] * 10 or text[: -found.unseen].split() == ["film"] * 10


def test_nothing_of_a_text_that_fits_is_cut(folder: Path) -> None:
    assert [one.unseen for one in places(folder, "", "film", "  film  ")] == [0, 0, 0]
    assert np.isclose(len(places(folder, "")[0].offsets), 2)
