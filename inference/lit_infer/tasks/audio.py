"""Task `audio-classification`: as that on images, of recordings."""

from dataclasses import replace

from lit_infer.tasks import image_classification

CLASSIFICATION = replace(
    image_classification.TASK,
    name="audio-classification",
    does="classifies recordings",
    takes_images=False,
    has_audio=True,
    sorts_by=None,
    pipeline_tag="audio-classification",
    cautions=("It answers with one of its classes for every recording, also for one unlike those it was trained on.",),
)
