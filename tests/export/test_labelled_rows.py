"""Scores of modules and graphs on labelled rows."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lit_export.judge import Judge, judge_for
from lit_export.options import Options
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.facts import NumberColumn, RowFields, TableColumn
from tests.support.targets import target_for

ROWS = ["1,2,b,3", "2,1,a,3.5", "5,1,a,7", "1,4,a,5"]
"""Numbers x and y, a label, and x + y or a half more."""


def judge(folder: Path, task: str, rows: list[str] = ROWS, **options: Any) -> Judge:
    """Of a module that answers x and y as scores of a and b, or x + y as a number."""
    (folder / "a.csv").write_text("\n".join(["x,y,label,total", *rows]))
    columns = tuple(TableColumn(name=name, number=NumberColumn()) for name in "xy")
    labels = ("a", "b") if task == "tabular-classification" else None
    facts = DeploymentFacts(task=task, labels=labels, fields=RowFields(columns=columns))
    module = nn.Identity() if labels else nn.Linear(2, 1, bias=False)
    for weight in module.parameters():
        nn.init.ones_(weight)
    return judge_for(target_for(module.eval(), facts), Options(data=folder / "a.csv", **options))


def test_classes_are_scored_by_label(tmp_path: Path) -> None:
    found = judge(tmp_path, "tabular-classification", target=("label",))

    # a: two right, one missed; b: one right, one too many.
    assert found.eager == {"accuracy": 0.75, "macro F1": pytest.approx((0.8 + 2 / 3) / 2)}


def test_a_class_may_be_given_by_its_index(tmp_path: Path) -> None:
    rows = [row.replace(",a,", ",0,").replace(",b,", ",1,") for row in ROWS]

    assert judge(tmp_path, "tabular-classification", rows, target=("label",)).eager["accuracy"] == 0.75  # type: ignore[index]


def test_numbers_are_scored_by_their_error(tmp_path: Path) -> None:
    found = judge(tmp_path, "tabular-regression", target=("total",)).eager

    assert found is not None
    assert found["MAE"] == pytest.approx((0 + 0.5 + 1 + 0) / 4)


def test_a_graph_that_answers_worse_than_the_module_is_refused(tmp_path: Path) -> None:
    found = judge(tmp_path, "tabular-classification", target=("label",))

    class Wrong:
        manifest = found.target

        def run(self, arrays: Any) -> Any:
            return {"probabilities": 1 - torch.softmax(torch.from_numpy(arrays["rows"]), -1).numpy()}

    with pytest.raises(GateError, match=r"accuracy fell from 75\.00% \(eager\) to 25\.00%"):
        found.score(Wrong())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "rows", "target", "error", "said"),
    [
        ("tabular-classification", ROWS, (), UsageError, "needs the column that has the truth: --target NAME"),
        ("tabular-classification", ROWS, ("lable",), UsageError, "lable"),
        (
            "tabular-classification",
            [*ROWS, "1,2,c,3"],
            ("label",),
            GateError,
            "row 4 .* its label is 'c', and the classes",
        ),
        (
            "tabular-regression",
            [*ROWS, "1,2,a,NA"],
            ("total",),
            GateError,
            "row 4 .* its total is NA, and not a number",
        ),
        ("tabular-regression", [*ROWS, "1,2,a"], ("total",), GateError, "row 4 cannot be used: it has 3 values"),
        ("tabular-regression", ["1,,a,3"], ("total",), GateError, "a row cannot be used: item 0: y is missing"),
    ],
)
def test_what_cannot_be_scored_is_told(
    task: str, rows: list[str], target: Any, error: type[Exception], said: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        judge(tmp_path, task, rows, target=target)
