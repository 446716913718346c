"""Read deployment facts from the evaluation transform, so that the two cannot diverge."""

from collections.abc import Mapping
from typing import Any

from lit_infer.errors import UsageError
from lit_infer.images import from_transform
from lit_infer.manifest import DeploymentFacts, Task


def facts_from_transform(
    transform: Any,
    *,
    task: Task,
    labels: tuple[str, ...] | None = None,
    answers: Mapping[str, Any] | None = None,
) -> DeploymentFacts:
    """The facts of an evaluation transform: torchvision's, albumentations', timm's, a Hugging Face processor's.

    `answers`: how the task's answers are read, such as thresholds or units. Raises ValueError for a transform that
    cannot be expressed, naming the part.
    """
    found = from_transform.read(transform)
    try:
        return DeploymentFacts(
            task=task,
            preprocess=found.steps,
            scale=found.scale,
            normalize=found.normalize,
            labels=labels,
            answers=dict(answers or {}),
        )
    except ValueError as error:  # the names and answers of a data module come from its options
        raise UsageError(f"the data module's labels and answers do not fit: {error}") from None
