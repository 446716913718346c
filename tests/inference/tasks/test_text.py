from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import torch

from lit_infer import load
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.facts import RowFields, TextField
from lit_infer.tasks import TASKS
from tests.support.tables import FIELDS
from tests.support.texts import SENTENCES, TokenVectors, prepare, text_bundle

TEXT = RowFields(text=TextField(tokenizer_sha256="0" * 64, max_length=8))


def test_answers_are_those_of_classes_of_images() -> None:
    text, image = TASKS["text-classification"], TASKS["image-classification"]

    assert (text.answer, text.read, text.kind, text.columns) == (image.answer, image.read, image.kind, image.columns)
    assert (text.takes_images, text.has_text, text.has_fields) == (False, True, True)


def test_a_task_of_texts_takes_a_text_and_one_of_tables_columns() -> None:
    DeploymentFacts(task="text-classification", fields=TEXT)
    for task, fields in (("text-classification", None), ("text-classification", FIELDS), ("tabular-regression", TEXT)):
        with pytest.raises(ValueError, match=f"task {task} (needs its tokenizer|takes a text|takes columns)"):
            DeploymentFacts(task=task, fields=fields)


def test_a_text_and_columns_are_not_both_given() -> None:
    with pytest.raises(ValueError, match="give one of columns, text and audio"):
        RowFields(text=TEXT.text, columns=FIELDS.columns)


def test_texts_become_vectors_from_every_side(tmp_path: Path) -> None:
    bundle = text_bundle(
        tmp_path,
        factory="tests.support.texts:TokenVectors",
        facts="task: text-embedding\nanswers: {pooling: mean, unit: true}\n",
    )
    (tmp_path / "lines.txt").write_text("".join(f"{text}\n" for text in SENTENCES))
    with load(bundle, device="cpu") as model:
        job = Job(output=tmp_path / "o.parquet", embeddings=tmp_path / "o.npy")
        run_job(model, parse([str(tmp_path / "lines.txt")]), job)
        found = model.predict(SENTENCES)

    vectors = np.stack([one.answer.embedding for one in found])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.allclose(np.load(tmp_path / "o.npy"), vectors, atol=1e-6)
    rows = pyarrow.parquet.read_table(tmp_path / "o.parquet")
    assert np.allclose(np.stack(rows["embedding"].to_numpy()), vectors, atol=1e-6)
    with torch.no_grad():
        ids, mask = prepare({"text": SENTENCES[0]}).values()
        wanted = (TokenVectors()(ids, mask) * mask[:, :, None]).sum(1)[0].numpy()
    assert np.allclose(vectors[0], wanted / np.linalg.norm(wanted), atol=1e-6)
