"""lit_trainer.data.sklearn_table: real tables, split once, standardised by the training rows alone."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lit_infer.rows.columns import ColumnFields
from lit_trainer.data import SklearnTableDataModule
from lit_trainer.data.sklearn_table import write_test_rows


def made(table: Any, **options: Any) -> Any:
    data = SklearnTableDataModule(table, **options)
    data.setup("fit")
    return data


@pytest.mark.parametrize(("table", "count", "columns"), [("breast_cancer", 569, 30), ("diabetes", 442, 10)])
def test_the_parts_are_all_rows_and_the_training_rows_are_standard(table: str, count: int, columns: int) -> None:
    data = made(table)
    parts = [part.tensors[0] for part in (data.train_set, data.val_set, data.test_set)]

    assert sum(map(len, parts)) == count == len(torch.unique(torch.cat(parts), dim=0))
    assert torch.allclose(parts[0].mean(0), torch.zeros(columns), atol=1e-5)
    assert torch.allclose(parts[0].std(0, unbiased=False), torch.ones(columns), atol=1e-5)
    assert not torch.allclose(parts[2].mean(0), torch.zeros(columns), atol=1e-3)


def test_a_seed_gives_the_same_parts_and_another_one_others() -> None:
    one, again, other = made("diabetes"), made("diabetes"), made("diabetes", split_seed=1)

    assert torch.equal(one.test_set.tensors[1], again.test_set.tensors[1])
    assert not torch.equal(one.test_set.tensors[1], other.test_set.tensors[1])


@pytest.mark.parametrize("table", ["breast_cancer", "diabetes"])
def test_the_facts_prepare_the_written_rows_as_training_has_them(table: Any, tmp_path: Path) -> None:
    data = made(table)
    facts = data.deployment_facts
    fields = ColumnFields(facts.fields)
    with write_test_rows(tmp_path / "rows.csv", table).open(newline="") as file:
        rows = list(csv.DictReader(file))

    (group,), errors = fields.groups(fields.block(rows))

    assert errors == {}
    assert np.array_equal(group.arrays[0], data.test_set.tensors[0].numpy())
    truths = data.test_set.tensors[1].ravel().tolist()
    known = [facts.labels[truth] for truth in truths] if table == "breast_cancer" else list(map(str, truths))
    assert [row["target"] for row in rows] == known
