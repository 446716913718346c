"""Sentences of documentation that ship inside packages: from NumPy, scikit-learn or PyTorch? No download."""

import ast
import csv
import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from lit_infer import files
from lit_infer.errors import require
from lit_infer.manifest import TOKENIZER, DeploymentFacts
from lit_infer.rows.facts import RowFields, TextField
from lit_infer.tasks import text
from lit_trainer.data.base import SplitDataModule

LABELS = ("numpy", "scikit-learn", "torch")
_PARTS = {
    "numpy": ("lib", "_core", "linalg", "ma", "random"),
    "sklearn": ("linear_model", "ensemble", "cluster", "decomposition", "preprocessing", "metrics"),
    "torch": ("nn", "optim", "distributions", "utils/data"),
}
"""Folders of each package whose docstrings are read; of all of them it would take minutes."""
_PAD = "[PAD]"
_LEAST_WORDS, _MOST_WORDS = 6, 40


class DocstringsDataModule(SplitDataModule):
    """Token ids int64 [batch, max_length], 0 where there is none, and classes int64 [batch].

    The sentences of a class are as many as those of the rarest one: 64 % train, 16 % validation, 20 % test. The
    tokenizer is made of the training sentences alone; its file, which an export needs, is in `tokenizer_folder`.
    """

    def __init__(
        self,
        tokenizer_folder: str = "data/docstrings",
        vocabulary: int = 2000,
        max_length: int = 64,
        batch_size: int = 64,
        split_seed: int = 0,
        num_workers: int = 0,  # an epoch takes less time than starting workers would
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        self.tokenizer_folder = Path(tokenizer_folder)
        self.vocabulary, self.max_length, self.split_seed = vocabulary, max_length, split_seed
        self._digest = ""

    @property
    def deployment_facts(self) -> DeploymentFacts:
        """What `DeploymentFacts`, the callback, stores in the checkpoint."""
        field = TextField(
            tokenizer_sha256=self._digest,
            max_length=self.max_length,
            special_tokens=False,
            inputs={"input_ids": "ids"},
        )
        return DeploymentFacts(task=text.CLASSIFICATION.name, labels=LABELS, fields=RowFields(text=field))

    def setup(self, stage: str) -> None:
        """Read the sentences and make the tokenizer, whatever the stage: all of it takes a few seconds."""
        del stage
        texts, classes = sentences()
        train, val, test = split(len(texts), seed=self.split_seed)
        tokenizer = _tokenizer([texts[row] for row in train], self.vocabulary)
        data: str = tokenizer.to_str(pretty=True)
        self._digest = hashlib.sha256(data.encode()).hexdigest()
        self._keep(data)
        tokenizer.enable_truncation(self.max_length)
        tokenizer.enable_padding(length=self.max_length, pad_id=0, pad_token=_PAD)
        ids = torch.tensor([one.ids for one in tokenizer.encode_batch(texts)])
        known: Tensor = torch.tensor(classes)
        parts = [TensorDataset(ids[part], known[part]) for part in (train, val, test)]
        self.train_set, self.val_set, self.test_set = parts
        self.predict_set = self.test_set

    def _keep(self, data: str) -> None:
        """The tokenizer as `lit-export --tokenizer` takes it."""
        config = {"pad_token": _PAD, "model_max_length": self.max_length}
        for name, said in ((TOKENIZER, data), ("tokenizer_config.json", json.dumps(config))):
            with files.atomic_text(self.tokenizer_folder / name) as file:
                file.write(said)


def write_test_sentences(path: Path, *, split_seed: int = 0) -> Path:
    """Write the held-out sentences as a table in CSV: their number as `id`, `text`, and the truth as `target`."""
    texts, classes = sentences()
    *_, test = split(len(texts), seed=split_seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "text", "target"])
        writer.writerows([row, texts[row], LABELS[classes[row]]] for row in test)
    return path


@cache
def sentences() -> tuple[list[str], list[int]]:
    """Sentences and their classes, of each class as many, none twice. Depends on the packages' versions alone."""
    found = [list(dict.fromkeys(_sentences(package, parts))) for package, parts in _PARTS.items()]
    several = {one for number, own in enumerate(found) for other in found[number + 1 :] for one in {*own} & {*other}}
    found = [[one for one in own if one not in several] for own in found]
    count, generator = min(map(len, found)), np.random.default_rng(0)
    chosen = [[own[row] for row in sorted(generator.permutation(len(own))[:count])] for own in found]
    return [one for own in chosen for one in own], [number for number, own in enumerate(chosen) for _ in own]


def split(count: int, *, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Rows of train, validation and test; disjoint, and the same for the same seed."""
    order = np.random.default_rng(seed).permutation(count).tolist()
    test, val = count // 5, count * 16 // 100
    return sorted(order[test + val :]), sorted(order[test : test + val]), sorted(order[:test])


def _sentences(package: str, parts: tuple[str, ...]) -> Iterator[str]:
    """The prose of a package's docstrings, sentence by sentence. Nothing is imported."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None  # noqa: S101, PT018 - training needs all of them
    root = Path(spec.origin).parent
    for part in parts:
        for path in sorted((root / part).rglob("*.py")):
            if "tests" not in path.relative_to(root).parts:
                for said in _docstrings(path):
                    yield from _prose(said)


def _docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (said := ast.get_docstring(node)):
            yield said


def _prose(docstring: str) -> Iterator[str]:
    """Whole sentences of its paragraphs, without examples, directives and headings."""
    for paragraph in docstring.split("\n\n"):
        if any(mark in paragraph for mark in (">>>", "::", "---", "===")):
            continue
        for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(paragraph.split())):
            is_whole = sentence[:1].isupper() and sentence.endswith(".")
            if is_whole and _LEAST_WORDS <= len(sentence.split()) <= _MOST_WORDS:
                yield sentence


def _tokenizer(texts: list[str], vocabulary: int) -> Any:
    """Parts of lower-case words, of bytes (BPE), as GPT-2's. The same texts give the same tokenizer."""
    purpose = "Training on texts"
    tokenizers = require("tokenizers", extra="text", purpose=purpose)
    models, normalizers, pre_tokenizers, trainers = (
        require(f"tokenizers.{name}", extra="text", purpose=purpose)
        for name in ("models", "normalizers", "pre_tokenizers", "trainers")
    )
    made = tokenizers.Tokenizer(models.BPE())
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.ByteLevel()
    # Sorted: in the order of a set each training would give other merges.
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=[_PAD], initial_alphabet=alphabet, show_progress=False
        ),
    )
    return made
