import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from lit_infer.errors import ArtifactError
from lit_infer.rows.facts import TextField
from lit_infer.rows.text import TextFields
from tests.support.texts import MAX_LENGTH, SENTENCES, tokenizer, write_tokenizer

WORD = -1
"""Stands for the id of "film"."""
INPUTS: dict[str, Any] = {"input_ids": "ids", "attention_mask": "mask"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def facts(folder: Path, **changes: Any) -> TextField:
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    return TextField(**{"tokenizer_sha256": digest, "max_length": MAX_LENGTH, "inputs": INPUTS, **changes})


def fields(folder: Path, **changes: Any) -> TextFields:
    return TextFields.opened(facts(folder, **changes), folder, order=(), name="net")


def test_a_text_has_the_tokens_that_the_tokenizer_gives_it_cut_to_its_length(folder: Path) -> None:
    runtime, theirs = fields(folder), tokenizer()
    theirs.enable_truncation(MAX_LENGTH)

    for text in SENTENCES:
        (group,), errors = runtime.groups(runtime.block([text]))
        ids, mask = group.arrays
        assert (ids[0].tolist(), errors) == (theirs.encode(text).ids, {})
        assert set(mask[0].tolist()) == {1}


def test_batches_are_of_texts_of_like_length_and_padded_to_their_longest(folder: Path) -> None:
    runtime = fields(folder)
    groups, _ = runtime.groups(runtime.block(list(SENTENCES)), 2)

    lengths = [group.arrays[1].sum(1).tolist() for group in groups]
    assert [length for part in lengths for length in part] == sorted(length for part in lengths for length in part)
    assert [group.arrays[0].shape[1] for group in groups] == [max(part) for part in lengths]
    assert sorted(row for group in groups for row in group.rows) == list(range(len(SENTENCES)))
    for group in groups:
        assert (group.arrays[0][group.arrays[1] == 0] == 0).all()


@pytest.mark.parametrize(
    ("changes", "ids", "mask"),
    [
        ({"padding": "fixed"}, [2, WORD, 3] + [0] * 9, [1, 1, 1] + [0] * 9),
        ({"pad_to_multiple": 8}, [2, WORD, 3] + [0] * 5, [1, 1, 1] + [0] * 5),
        ({"pad_to_multiple": 4, "padding_side": "left", "pad_id": 9}, [9, 2, WORD, 3], [0, 1, 1, 1]),
        ({"special_tokens": False}, [WORD], [1]),
    ],
)
def test_padding_is_as_stated(folder: Path, changes: Any, ids: list[int], mask: list[int]) -> None:
    runtime = fields(folder, **changes)
    word = tokenizer().token_to_id("film")

    (group,), _ = runtime.groups(runtime.block(["film"]))

    wanted = [word if one == WORD else one for one in ids]
    assert (group.arrays[0][0].tolist(), group.arrays[1][0].tolist()) == (wanted, mask)


def test_a_long_text_is_cut_at_either_end_or_refused(folder: Path) -> None:
    long = " ".join(["film"] * 30)
    word = tokenizer().token_to_id("film")
    end = fields(folder, truncation="left")
    (group,), _ = end.groups(end.block(["the " + long]))
    assert group.arrays[0][0].tolist() == [2] + [word] * (MAX_LENGTH - 2) + [3]

    strict = fields(folder, truncation="error")
    groups, errors = strict.groups(strict.block([long, "film"]))
    assert str(errors[0]) == "it has 32 tokens, and the model takes 12"
    assert [list(group.rows) for group in groups] == [[1]]


def test_pairs_have_types(folder: Path) -> None:
    runtime = fields(folder, pair="answer", inputs={"input_ids": "ids", "token_type_ids": "types"})

    (group,), errors = runtime.groups(runtime.block([{"text": "film", "answer": "the end"}, {"text": "film"}]))

    assert group.arrays[1][0].tolist() == [0, 0, 0, 1, 1, 1]
    assert str(errors[1]) == "the row has no answer"


def test_what_is_no_text_fails_alone(folder: Path) -> None:
    runtime = fields(folder)
    items = ["film", {"text": None}, {"text": 3}, {"text": "a" * 1_000_001}, {"text": "\udcff"}, 7, {}]

    groups, errors = runtime.groups(runtime.block(items))

    assert [list(group.rows) for group in groups] == [[0]]
    assert [errors[row].code for row in range(1, 7)] == [
        "missing",
        "bad_value",
        "too_long",
        "bad_value",
        "bad_row",
        "missing",
    ]


def test_a_text_without_tokens_has_no_length_but_that_of_fixed_padding(folder: Path) -> None:
    ragged, fixed = (fields(folder, special_tokens=False, padding=padding) for padding in ("longest", "fixed"))

    groups, errors = ragged.groups(ragged.block(["film", ""]))

    assert [list(group.rows) for group in groups] == [[0]]
    assert (errors[1].code, str(errors[1])) == ("no_tokens", "the text has no tokens")
    (group,), errors = fixed.groups(fixed.block(["film", ""]))
    assert (group.arrays[0].shape, errors) == ((2, MAX_LENGTH), {})


def test_another_tokenizer_than_the_manifests_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"tokenizer\.json is missing: export or fetch the bundle again"):
        TextFields.opened(facts(folder), tmp_path, order=(), name="net")
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes() + b" ")
    with pytest.raises(ArtifactError, match="is not the file that the manifest describes"):
        TextFields.opened(facts(folder), tmp_path, order=(), name="net")
    with pytest.raises(ArtifactError, match=r"net needs the tokenizer\.json of its bundle"):
        TextFields.opened(facts(folder), None, order=(), name="net")
    (tmp_path / "tokenizer.json").write_text("{}")
    digest = hashlib.sha256(b"{}").hexdigest()
    with pytest.raises(ArtifactError, match=r"is no tokenizer\.json"):
        TextFields.opened(replace(facts(folder), tokenizer_sha256=digest), tmp_path, order=(), name="net")


def test_the_arrays_are_those_of_the_order_that_is_given(folder: Path) -> None:
    runtime = TextFields.opened(facts(folder), folder, order=("attention_mask", "input_ids"), name="net")

    (group,), _ = runtime.groups(runtime.block(["film"]))

    assert np.array_equal(group.arrays[0], [[1, 1, 1]])
