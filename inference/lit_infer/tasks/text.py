"""Task `text-classification`: as the one on images, of texts."""

from dataclasses import replace

from lit_infer.tasks import image_classification
from lit_infer.tasks.tabular import OneScoreFacts

CLASSIFICATION = replace(
    image_classification.TASK,
    name="text-classification",
    does="classifies texts",
    takes_images=False,
    has_text=True,
    facts=OneScoreFacts,
    sorts_by=None,
    metric=None,  # labelled rows are not scored yet
    pipeline_tag="text-classification",
    cautions=("It answers with one of its classes for every text, also for one unlike those it was trained on.",),
)
