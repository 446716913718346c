"""What can be exported: a row of `TASKS` each, the twin of `lit_infer.tasks.TASKS`.

A row has the module around the user's, and how its answers are scored on labelled data.
"""

from torch import nn

from lit_export.tasks import (
    anomaly_detection,
    audio,
    image_classification,
    image_embedding,
    image_multilabel,
    image_regression,
    image_segmentation,
    image_to_image,
    instance_segmentation,
    keypoint_detection,
    object_detection,
    tables,
    tensor,
    texts,
    token_classification,
)
from lit_export.tasks.spec import ExportTask, Scoring, TunedFacts
from lit_export.tasks.target import Target, answers, dtype_of, in_precision
from lit_infer.batching.sizes import BATCH

__all__ = [
    "BATCH",
    "TASKS",
    "ExportTask",
    "Scoring",
    "Target",
    "TunedFacts",
    "answers",
    "doubts",
    "dtype_of",
    "in_precision",
]

TASKS = {
    task.name: task
    for task in (
        image_classification.TASK,
        image_multilabel.TASK,
        image_regression.TASK,
        image_embedding.TASK,
        image_segmentation.TASK,
        object_detection.TASK,
        instance_segmentation.TASK,
        keypoint_detection.TASK,
        image_to_image.TASK,
        anomaly_detection.TASK,
        tables.CLASSIFICATION,
        tables.REGRESSION,
        texts.CLASSIFICATION,
        texts.EMBEDDING,
        token_classification.TASK,
        audio.CLASSIFICATION,
        tensor.TASK,
    )
}


def doubts(module: nn.Module, name: str) -> list[str]:
    """Signs that the module is for another task than the named one: its losses and metrics."""
    classes = {base.__name__ for part in module.modules() for base in type(part).__mro__}

    def marks_of(task: ExportTask) -> list[str]:
        return sorted(one for one in classes if task.marks and one.startswith(task.marks))

    if not TASKS[name].marks or marks_of(TASKS[name]):
        return []
    others = {task.name: found for task in TASKS.values() if (found := marks_of(task))}
    return [
        f"the module holds {', '.join(found)}: it looks like task {other}, and is exported as {name}"
        for other, found in others.items()
    ]
