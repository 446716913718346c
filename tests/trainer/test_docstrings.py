"""lit_trainer.data.docstrings: real sentences, a tokenizer of the training ones alone, and its facts."""

import csv
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from lit_infer.rows.text import TextFields
from lit_trainer.data import DocstringsDataModule
from lit_trainer.data.docstrings import LABELS, sentences, split, write_test_sentences


def made(folder: Path, **options: Any) -> Any:
    data = DocstringsDataModule(str(folder), **options)
    data.setup("fit")
    return data


def test_sentences_are_whole_and_of_each_library_as_many() -> None:
    texts, classes = sentences()

    assert len(set(texts)) == len(texts) == 3 * Counter(classes)[0] > 3000
    assert set(Counter(classes).values()) == {Counter(classes)[0]}
    assert all(text[0].isupper() and text.endswith(".") and "\n" not in text for text in texts)
    assert all(6 <= len(text.split()) <= 40 for text in texts)
    parts = split(len(texts), seed=0)
    assert sorted(row for part in parts for row in part) == list(range(len(texts)))


def test_the_same_sentences_give_the_same_tokenizer_and_tokens(tmp_path: Path) -> None:
    one, again = made(tmp_path / "one"), made(tmp_path / "again")

    files = [(tmp_path / name / "tokenizer.json").read_bytes() for name in ("one", "again")]
    assert files[0] == files[1]
    assert hashlib.sha256(files[0]).hexdigest() == one.deployment_facts.fields.text.tokenizer_sha256
    assert torch.equal(one.train_set.tensors[0], again.train_set.tensors[0])
    assert not torch.equal(one.train_set.tensors[1], made(tmp_path / "other", split_seed=1).train_set.tensors[1])


def test_the_facts_make_the_tokens_of_training(tmp_path: Path) -> None:
    data = made(tmp_path / "tok", max_length=12, vocabulary=500)
    fields = TextFields.opened(data.deployment_facts.fields.text, tmp_path / "tok", order=(), name="net")
    with write_test_sentences(tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    (group,), errors = fields.groups(fields.block(rows))

    assert errors == {}
    order = torch.tensor(group.rows)
    ids = torch.from_numpy(group.arrays[0])
    known = data.test_set.tensors[0][order]
    assert torch.equal(ids, known[:, : ids.shape[1]])
    assert (known[:, ids.shape[1] :] == 0).all()
    assert [LABELS.index(row["target"]) for row in rows] == data.test_set.tensors[1].tolist()
