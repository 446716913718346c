"""Modules on the rows of a table, as users write them: what their graph takes and answers."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.options import Options
from lit_export.tasks import Target, answers
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.facts import BooleanColumn, CategoryColumn, NumberColumn, RowFields, TableColumn
from tests.support.targets import target_for

AGE = TableColumn(name="age", number=NumberColumn(mean=40, scale=10))
SMOKER = TableColumn(name="smoker", boolean=BooleanColumn())
JOB = TableColumn(name="job", category=CategoryColumn(vocabulary=("a", "b", "c"), unknown=3))
TOWN = TableColumn(name="town", category=CategoryColumn(vocabulary=("x", "y"), one_hot=True))


def facts(task: str = "classification", *, fields: RowFields | None = None, **more: Any) -> DeploymentFacts:
    fields = fields or RowFields(columns=(AGE, SMOKER, TOWN))
    return DeploymentFacts(task=f"tabular-{task}", fields=fields, **more)


def linear(outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(4, outputs).eval()


def answered(target: Target, count: int = 5) -> Any:
    return answers(target.module, target.noise(np.random.default_rng(0), count))[0]


def test_logits_become_probabilities_of_an_input_with_all_columns() -> None:
    target = target_for(linear(3), facts())

    (rows,) = target.inputs
    assert (rows.name, rows.dtype, rows.shape) == ("rows", "float32", ("batch", 4))
    assert target.outputs[0].shape == ("batch", 3)
    assert np.allclose(answered(target).sum(1), 1)


class Embedded(nn.Module):
    """Numbers, and the indices of categories: as pytorch-tabular and most others have it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(4, 2), nn.Linear(4, 2)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        return self.head(torch.cat([numbers, self.embedding(categories[:, 0])], dim=1))


def test_categories_have_an_input_of_indices() -> None:
    fields = RowFields(columns=(AGE, JOB, SMOKER), inputs={"numbers": ("age", "smoker"), "categories": ("job",)})
    target = target_for(Embedded().eval(), facts(fields=fields))

    assert [(one.name, one.dtype, one.shape[1]) for one in target.inputs] == [
        ("numbers", "float32", 2),
        ("categories", "int64", 1),
    ]
    assert set(target.noise(np.random.default_rng(0), 200)[1].ravel()) == {0, 1, 2, 3}  # the unknown one too


@pytest.mark.parametrize("has_side", [True, False])
def test_one_score_is_the_probability_of_the_second_class(has_side: bool) -> None:
    module = linear(1)
    given = module if has_side else nn.Sequential(module, nn.Flatten(0)).eval()
    target = target_for(given, facts(labels=("no", "yes")))

    rows = target.noise(np.random.default_rng(0), 5)
    with torch.no_grad():
        wanted = torch.sigmoid(module(torch.from_numpy(rows[0])))[:, 0].numpy()
    found = answers(target.module, rows)[0]
    assert found.shape == (5, 2)
    assert np.allclose(found[:, 1], wanted, atol=1e-6)


def test_a_module_that_ends_in_a_sigmoid_gets_no_second_one() -> None:
    target = target_for(nn.Sequential(linear(1), nn.Sigmoid()).eval(), facts())

    assert any("taken as the probability of the second class" in one for one in target.warnings)
    assert answered(target)[:, 1].min() < 0.45


def test_a_score_that_may_be_a_probability_or_a_small_logit_is_asked_about() -> None:
    module = nn.Sequential(linear(1), nn.Hardtanh(0, 1)).eval()

    with pytest.raises(UsageError, match=r"it may be a probability or a small logit\. Say which in --spec"):
        target_for(module, facts())
    for scores, least in (("probabilities", 0.0), ("logits", 0.5)):
        assert answered(target_for(module, facts(answers={"scores": scores})))[:, 1].min() == least
    with pytest.raises(UsageError, match="the score is declared a probability, but the module answers from -"):
        target_for(linear(1), facts(answers={"scores": "probabilities"}))


def test_numbers_are_answered_unchanged() -> None:
    target = target_for(nn.Sequential(linear(1), nn.Flatten(0)).eval(), facts("regression", labels=("years",)))

    assert (target.outputs[0].name, target.outputs[0].shape) == ("values", ("batch", 1))


@pytest.mark.parametrize(
    ("module", "task", "more", "error", "said"),
    [
        (
            linear(3),
            "classification",
            {"labels": ("a", "b")},
            UsageError,
            "2 labels are given and the model has 3 classes",
        ),
        (linear(1), "regression", {"answers": {"units": ["a", "b"]}}, UsageError, "2 units for 1 values"),
        (
            nn.Sequential(linear(4), nn.Unflatten(1, (2, 2))),
            "classification",
            {},
            GateError,
            r"answers \[64, 2, 2\] for",
        ),
    ],
)
def test_what_does_not_fit_is_told(module: Any, task: str, more: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        target_for(module.eval(), facts(task, **more))


@pytest.mark.parametrize("options", [{"inputs": ("4",)}, {"dynamic": ("height",)}])
def test_the_inputs_come_from_the_columns_alone(options: Any) -> None:
    with pytest.raises(UsageError, match="come from its columns"):
        target_for(linear(2), facts(), **options)


def test_a_batch_may_be_frozen() -> None:
    target = target_for(linear(2), facts(), static_batch=4)

    assert (target.batch, target.inputs[0].shape) == (4, (4, 4))
    assert Options().static_batch is None
