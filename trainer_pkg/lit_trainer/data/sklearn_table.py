"""Tables that ship inside scikit-learn: 569 tumours (breast_cancer) and 442 patients (diabetes). No download."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import TensorDataset

from lit_infer.manifest import DeploymentFacts
from lit_infer.rows import from_sklearn
from lit_infer.tasks import tabular
from lit_trainer.data.base import HeldOut, SplitDataModule

TableName = Literal["breast_cancer", "diabetes"]


class SklearnTableDataModule(SplitDataModule):
    """Rows float32 [batch, columns], standardised, and classes int64 [batch] or numbers float32 [batch, 1].

    A fixed split: 64 % train, 16 % validation, 20 % test. The scaler is fitted on the training rows alone, and recorded
    in the checkpoint as the columns of deployment.
    """

    def __init__(
        self,
        table: TableName = "breast_cancer",
        batch_size: int = 32,
        split_seed: int = 0,
        num_workers: int = 0,  # an epoch takes less time than starting workers would
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.table, self.split_seed = table, split_seed
        self._scaler: Any = None

    @property
    def deployment_facts(self) -> DeploymentFacts:
        """What `DeploymentFacts`, the callback, stores in the checkpoint."""
        names, labels = _names(self.table)
        task = tabular.CLASSIFICATION if self.table == "breast_cancer" else tabular.REGRESSION
        return DeploymentFacts(task=task.name, labels=labels, fields=from_sklearn.read(self._scaler, names))

    def setup(self, stage: str) -> None:
        """Make the splits, whatever the stage: all of it is 140 KB."""
        del stage
        from sklearn.preprocessing import StandardScaler

        rows, targets = _load(self.table)
        train, val, test = _split(len(rows), seed=self.split_seed)
        self._scaler = StandardScaler().fit(rows[train])
        scaled = torch.from_numpy(self._scaler.transform(rows).astype(np.float32))
        known = torch.from_numpy(targets)
        parts = [TensorDataset(scaled[part], known[part]) for part in (train, val, test)]
        self.train_set, self.val_set, self.test_set = parts
        self.predict_set = self.test_set


def write_test_rows(path: Path, table: TableName = "breast_cancer", *, split_seed: int = 0) -> Path:
    """Write the held-out rows as a table in CSV, with their number as `id` and the truth as `target`."""
    rows, targets = _load(table)
    names, labels = _names(table)
    *_, test = _split(len(rows), seed=split_seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *names, "target"])
        for index in test:
            truth = labels[int(targets[index])] if table == "breast_cancer" else repr(float(targets[index, 0]))
            writer.writerow([index, *map(repr, map(float, rows[index])), truth])
    return path


def _load(table: TableName) -> tuple[Any, Any]:
    """Rows float64 [rows, columns], and classes int64 [rows] or numbers float32 [rows, 1]."""
    from sklearn import datasets  # 2 s to import

    if table == "breast_cancer":
        found = datasets.load_breast_cancer()
        return found.data, found.target.astype(np.int64)
    found = datasets.load_diabetes(scaled=False)
    return found.data, found.target.astype(np.float32)[:, None]


def _names(table: TableName) -> tuple[list[str], tuple[str, ...]]:
    """The names of the columns, and those of the classes or of the value."""
    from sklearn import datasets

    if table == "breast_cancer":
        found = datasets.load_breast_cancer()
        return list(map(str, found.feature_names)), tuple(map(str, found.target_names))
    return list(map(str, datasets.load_diabetes().feature_names)), ("progression",)


def _split(count: int, *, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Indices of train, validation and test; disjoint, and the same for the same seed."""
    order = np.random.default_rng(seed).permutation(count).tolist()
    test, val = count // 5, count * 16 // 100
    return sorted(order[test + val :]), sorted(order[test : test + val]), sorted(order[:test])
