"""The table of what can be exported: what holds for every row, and which task a module looks like."""

import pytest
from torch import nn

from lit_export.tasks import TASKS, ExportTask, doubts
from lit_infer.tasks import TASKS as RUNTIME

every = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


class Holding(nn.Module):
    """Holds a loss, as a LightningModule does."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss


def test_both_tables_have_the_same_tasks_in_the_same_order() -> None:
    assert list(TASKS) == list(RUNTIME)


@every
def test_what_has_a_metric_can_be_scored_and_the_other_way_round(task: ExportTask) -> None:
    assert TASKS[task.name] is task
    assert (task.score is None) == (RUNTIME[task.name].metric is None)


def test_no_two_tasks_claim_the_same_losses() -> None:
    marks = [mark for task in TASKS.values() for mark in task.marks]

    assert not [(a, b) for a in marks for b in marks if a is not b and a.startswith(b)]


def test_a_module_that_holds_the_loss_of_another_task_is_pointed_out() -> None:
    (said,) = doubts(Holding(nn.BCEWithLogitsLoss()), "image-classification")

    assert said.startswith(
        "the module holds BCEWithLogitsLoss: it looks like task image-multilabel, and is exported as "
    )


@pytest.mark.parametrize("name", TASKS)
def test_a_module_that_says_nothing_of_its_task_is_taken_at_its_word(name: str) -> None:
    assert doubts(nn.Linear(2, 2), name) == []


def test_the_loss_of_the_task_itself_is_no_doubt() -> None:
    assert doubts(Holding(nn.BCEWithLogitsLoss()), "image-multilabel") == []
