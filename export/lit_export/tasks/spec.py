"""What the exporter knows about a task: one frozen `ExportTask` each, the twin of `lit_infer.tasks.TaskSpec`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lit_export.chosen import Role
from lit_export.labelled import Labelled, Question
from lit_export.options import Options
from lit_export.tasks.target import Target
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import Reading
from lit_infer.tensors import Arrays


@dataclass(frozen=True)
class Scoring:
    """How the answers for labelled images are scored: the number is `TaskSpec.metric`."""

    labelled: Callable[[Question], Labelled]
    """The labelled images behind `--data`. Raises UsageError if the truth of one is not certain."""
    condensed: Callable[[NDArray[np.float32]], NDArray[Any]]
    """Rows of answers reduced to what must be kept until all are there."""
    values: Callable[[NDArray[Any], Sequence[Any], Reading], dict[str, float]]
    """From all that was kept, and all truths: the task's metric first, then other scores."""
    counted: Callable[[Any, Any, Reading], NDArray[Any]] | None = None
    """From one answer, in positions of the image as it was, and its truth: what is kept of it, instead of `condensed`
    of the bare rows, one or several rows; `values` then gets no truths."""
    merged: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    """Of a task whose rows add up: what was kept so far, in fewer rows."""
    threshold: float | None = None
    """What is asked for when answers are scored; None: as in deployment."""


@dataclass(frozen=True)
class TunedFacts:
    """Better facts, found on labelled images."""

    answers: dict[str, Any]
    """For `DeploymentFacts.answers`."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExportTask:
    """All that the exporter knows about a task."""

    name: str
    target: Callable[[nn.Module, DeploymentFacts, Options], Target]
    """The wrapper module, and its sides."""
    target_on: Callable[..., Target] | None = None
    """The same, also with `real`: calls on the user's data. None: its real inputs are image files."""
    roles: tuple[Role, ...] | None = ()
    """What it takes from a module's outputs, where a person may say which is which; None: outputs of any names."""
    score: Scoring | None = None
    """None: its answers cannot be right or wrong."""
    check_answers: Callable[[Target, Sequence[Arrays]], None] | None = None
    """Raise UsageError where the eager module's answers for all that is compared show too little."""
    marks: tuple[str, ...] = ()
    """Beginnings of the class names of losses and metrics in modules of this task."""
    tuned: Callable[[NDArray[np.float32], Sequence[Any], Reading], TunedFacts] | None = None
    """From the eager module's answers for labelled images and the truths: better facts of how answers are read."""
