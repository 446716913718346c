"""scikit-learn's tables, from a training to a file of rows and to the server: answers are the eager module's."""

import csv
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_export import export
from lit_infer import load
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.server.app import create_app
from lit_infer.server.models import sources
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_trainer.callbacks import DeploymentFacts
from lit_trainer.data import SklearnTableDataModule
from lit_trainer.data.sklearn_table import write_test_rows
from lit_trainer.modules import TabularClassifier, TabularRegressor
from tests.support.server.client import Client


@pytest.mark.slow
@pytest.mark.parametrize("table", ["breast_cancer", "diabetes"])
def test_a_table_from_training_to_the_server(table: Any, tmp_path: Path) -> None:
    pl.seed_everything(3, verbose=False)
    module = TabularClassifier(30) if table == "breast_cancer" else TabularRegressor(10, 152.0, 77.0)
    checkpoint = ModelCheckpoint(tmp_path, filename="table")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(
        max_epochs=3, accelerator="cpu", default_root_dir=tmp_path, callbacks=[checkpoint, DeploymentFacts()], **quiet
    )
    data = SklearnTableDataModule(table)
    trainer.fit(module, datamodule=data)
    export(tmp_path / "table.ckpt", ["onnx"], out=tmp_path / "bundle")
    with torch.no_grad():
        outputs = module.eval()(data.test_set.tensors[0])
    wanted = module.answers(outputs).numpy()

    found: list[Any] = []
    path = write_test_rows(tmp_path / "rows.csv", table)
    with load(tmp_path / "bundle", device="cpu") as model:
        run_job(model, parse([str(path)]), Job(keep=("id", "target")), each=found.append)
    with path.open(newline="") as file:
        first = next(csv.DictReader(file))
    repository = Repository(sources.parse([str(tmp_path / "bundle")]), Opening(device="cpu"))
    client = Client(create_app(repository))
    served = client.post("/predict?top_k=2" if table == "breast_cancer" else "/predict", json=first).json()
    client.close()
    repository.close()

    if table == "diabetes":
        assert np.allclose([row["progression"] for row in found], wanted[:, 0], rtol=1e-5)
        assert served["values"][0]["value"] == pytest.approx(found[0]["progression"], rel=1e-6)
        return
    scores = [[one["score"] for one in sorted(row["top"], key=lambda one: int(one["index"]))] for row in found]
    assert np.allclose(scores, wanted, atol=1e-5)
    assert np.mean([row["label"] == row["target"] for row in found]) > 0.9
    assert (served["label"], served["score"]) == (found[0]["label"], pytest.approx(found[0]["score"], rel=1e-6))
