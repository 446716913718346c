"""What a graph can be for: each task is a row of `TASKS`, and nothing else knows it.

To add one: a file with its `TaskSpec` here, one with its module and score in lit_export/tasks, and a row in each.
"""

from typing import Any

import msgspec
import numpy as np

from lit_infer.tasks import (
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
    tabular,
    tensor,
    text,
    token_classification,
)
from lit_infer.tasks.choices import Choice
from lit_infer.tasks.spec import (
    MEDIA,
    Agreement,
    AnswerFile,
    AnswerTally,
    Ask,
    Kind,
    Metric,
    Outputs,
    Reading,
    Row,
    RowTally,
    Shown,
    Sources,
    TaskSpec,
)

__all__ = [
    "MEDIA",
    "TASKS",
    "Agreement",
    "AnswerFile",
    "AnswerTally",
    "Ask",
    "Choice",
    "Kind",
    "Metric",
    "Outputs",
    "Reading",
    "Row",
    "RowTally",
    "Shown",
    "Sources",
    "TaskSpec",
    "answer_schemas",
    "find",
    "plain_answer",
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
        tabular.CLASSIFICATION,
        tabular.REGRESSION,
        text.CLASSIFICATION,
        text.EMBEDDING,
        token_classification.TASK,
        audio.CLASSIFICATION,
        tensor.TASK,
    )
}


def find(name: str) -> TaskSpec:
    """The task of that name. Raises ValueError for one that is not in the table."""
    if name not in TASKS:
        raise ValueError(f"task {name!r} is not known; use one of {', '.join(TASKS)}")
    return TASKS[name]


def plain_answer(answer: msgspec.Struct) -> dict[str, Any]:
    """An answer as JSON has it, arrays as lists unless the answer says itself what stands for them."""
    parts: Any = getattr(answer, "parts", None)
    plain: dict[str, Any] = msgspec.to_builtins(answer if parts is None else parts(), enc_hook=_listed)
    return plain


def answer_schemas() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """JSON schemas of the answers, as OpenAPI refers to them, and the components that they use."""
    found, components = msgspec.json.schema_components(
        list({task.answer: None for task in TASKS.values()}),
        schema_hook=lambda _: {"type": "array"},  # of numbers, nested as the array is
        ref_template="#/components/schemas/{name}",
    )
    return list(found), components


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise NotImplementedError(type(value).__name__)
