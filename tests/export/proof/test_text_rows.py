import hashlib
from pathlib import Path

import numpy as np
import pytest

from lit_export.proof.text_rows import drawn, of_length, texts
from lit_infer.errors import UsageError
from lit_infer.rows.facts import TextField
from lit_infer.rows.text import TextFields
from tests.support.texts import MAX_LENGTH, write_tokenizer


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> TextFields:
    folder = write_tokenizer(tmp_path_factory.mktemp("tok"))
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    facts = TextField(
        tokenizer_sha256=digest, max_length=MAX_LENGTH, inputs={"input_ids": "ids", "attention_mask": "mask"}
    )
    return TextFields.opened(facts, folder, order=(), name="net")


def test_made_up_texts_have_every_length_and_odd_characters(fields: TextFields) -> None:
    found = texts(fields, None)
    (group,), errors = fields.groups(fields.block(found.raw))

    assert errors == {}
    assert {*group.arrays[1].sum(1).tolist()} >= {2, 3, MAX_LENGTH}
    assert any("日" in row["text"] for row in found.raw)
    assert not found.is_real


def test_a_batch_is_drawn_from_them_and_may_have_any_length(fields: TextFields) -> None:
    found = texts(fields, None)
    arrays = drawn(fields, found, np.random.default_rng(0), 200)

    assert [len(array) for array in arrays] == [200, 200]
    assert [array.shape for array in of_length(arrays, 30)] == [(200, 30)] * 2


def test_the_texts_of_a_file(fields: TextFields, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,id\na film,1\n"the end",2\n')

    found = texts(fields, tmp_path / "a.csv")

    assert (found.raw, found.source, found.is_real) == (({"text": "a film"}, {"text": "the end"}), "a.csv", True)
    (tmp_path / "a.csv").write_text("words\nx\n")
    with pytest.raises(UsageError, match="there is no text in it"):
        texts(fields, tmp_path / "a.csv")
    with pytest.raises(UsageError, match=r"expected a \.txt"):
        texts(fields, tmp_path / "a.npz")
