"""Tasks `tabular-classification` and `tabular-regression`: as those on images, of the rows of a table."""

from dataclasses import replace

from lit_infer.tasks import image_classification, image_regression

CLASSIFICATION = replace(
    image_classification.TASK,
    name="tabular-classification",
    does="classifies rows of a table",
    takes_images=False,
    has_columns=True,
    sorts_by=None,
    pipeline_tag="tabular-classification",
    cautions=("It answers with one of its classes for every row, also for one unlike those it was trained on.",),
)

REGRESSION = replace(
    image_regression.TASK,
    name="tabular-regression",
    does="estimates numbers from rows of a table",
    takes_images=False,
    has_columns=True,
    pipeline_tag="tabular-regression",
    cautions=("It answers with numbers for every row, also for one unlike those it was trained on.",),
)
