"""Sentences of documentation, from a training to a file of texts and to the server: answers are the eager module's."""

import csv
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_export import Options, export
from lit_infer import load
from lit_infer.errors import UsageError
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.server.app import create_app
from lit_infer.server.models import sources
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_trainer.callbacks import DeploymentFacts
from lit_trainer.data import DocstringsDataModule
from lit_trainer.data.docstrings import write_test_sentences
from lit_trainer.modules import EmbeddingClassifier
from tests.support.server.client import Client
from tests.support.texts import write_tokenizer


@pytest.mark.slow
def test_texts_from_training_to_the_server(tmp_path: Path) -> None:
    pl.seed_everything(3, verbose=False)
    module, data = EmbeddingClassifier(2000, 3), DocstringsDataModule(str(tmp_path / "tok"))
    checkpoint = ModelCheckpoint(tmp_path / "run", filename="texts")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(
        max_epochs=2, accelerator="cpu", default_root_dir=tmp_path, callbacks=[checkpoint, DeploymentFacts()], **quiet
    )
    trainer.fit(module, datamodule=data)
    with pytest.raises(UsageError, match="is not the one that the checkpoint was trained with"):
        export(
            tmp_path / "run" / "texts.ckpt", ["onnx"], options=Options(tokenizer=write_tokenizer(tmp_path / "other"))
        )
    export(
        tmp_path / "run" / "texts.ckpt", ["onnx"], out=tmp_path / "bundle", options=Options(tokenizer=tmp_path / "tok")
    )
    with torch.no_grad():
        wanted = module.answers(module.eval()(data.test_set.tensors[0])).numpy()

    found: list[Any] = []
    path = write_test_sentences(tmp_path / "rows.csv")
    with load(tmp_path / "bundle", device="cpu") as model:
        run_job(model, parse([str(path)]), Job(keep=("id", "target")), each=found.append)
    with path.open(newline="") as file:
        first = next(csv.DictReader(file))
    repository = Repository(sources.parse([str(tmp_path / "bundle")]), Opening(device="cpu"))
    client = Client(create_app(repository))
    served = client.post("/predict", json={"text": first["text"]}).json()
    client.close()
    repository.close()

    scores = [[one["score"] for one in sorted(row["top"], key=lambda one: int(one["index"]))] for row in found]
    assert np.allclose(scores, wanted, atol=1e-5)
    assert np.mean([row["label"] == row["target"] for row in found]) > 0.7
    assert (served["label"], served["score"]) == (found[0]["label"], pytest.approx(found[0]["score"], rel=1e-5))
