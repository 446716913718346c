import pytest

from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import TASKS
from tests.support.tables import FIELDS


@pytest.mark.parametrize("name", ["tabular-classification", "tabular-regression"])
def test_answers_are_those_of_the_same_task_on_images(name: str) -> None:
    of_images = TASKS[name.replace("tabular", "image")]

    assert (TASKS[name].answer, TASKS[name].read, TASKS[name].kind) == (
        of_images.answer,
        of_images.read,
        of_images.kind,
    )
    assert (TASKS[name].takes_images, TASKS[name].has_columns) == (False, True)


def test_a_table_needs_its_columns_and_nothing_else_has_any() -> None:
    DeploymentFacts(task="tabular-regression", fields=FIELDS)
    with pytest.raises(ValueError, match="task tabular-regression needs its columns: fields in the spec, or --columns"):
        DeploymentFacts(task="tabular-regression")
    with pytest.raises(ValueError, match="task image-classification has no columns, and fields are given"):
        DeploymentFacts(task="image-classification", fields=FIELDS)
