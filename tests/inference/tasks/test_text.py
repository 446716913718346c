import pytest

from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.facts import RowFields, TextField
from lit_infer.tasks import TASKS
from tests.support.tables import FIELDS

TEXT = RowFields(text=TextField(tokenizer_sha256="0" * 64, max_length=8))


def test_answers_are_those_of_classes_of_images() -> None:
    text, image = TASKS["text-classification"], TASKS["image-classification"]

    assert (text.answer, text.read, text.kind, text.columns) == (image.answer, image.read, image.kind, image.columns)
    assert (text.takes_images, text.has_text, text.has_fields) == (False, True, True)


def test_a_task_of_texts_takes_a_text_and_one_of_tables_columns() -> None:
    DeploymentFacts(task="text-classification", fields=TEXT)
    for task, fields in (("text-classification", None), ("text-classification", FIELDS), ("tabular-regression", TEXT)):
        with pytest.raises(ValueError, match=f"task {task} (needs its text|takes a text|takes columns)"):
            DeploymentFacts(task=task, fields=fields)


def test_a_text_and_columns_are_not_both_given() -> None:
    with pytest.raises(ValueError, match="give a text or columns, not both"):
        RowFields(text=TEXT.text, columns=FIELDS.columns)
