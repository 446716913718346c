"""Task `instance-segmentation`: what is found in images, a mask for each, and mask mAP."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lit_export import labelled
from lit_export.chosen import Role
from lit_export.options import Options
from lit_export.tasks.found_boxes import BOXES_ROLE, SCORES_ROLE
from lit_export.tasks.found_things import FOUND_ROLES, InstanceModule
from lit_export.tasks.images import image_target
from lit_export.tasks.inner_detector import detector_of
from lit_export.tasks.object_detection import LEAST, check_found
from lit_export.tasks.spec import ExportTask, Scoring
from lit_export.tasks.target import Target
from lit_infer.errors import UsageError
from lit_infer.images import rle
from lit_infer.images.rle import Rle
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import Reading, average_precision
from lit_infer.tasks.instance_segmentation import TASK as RUNTIME
from lit_infer.tasks.instance_segmentation import FoundInstances


def _matched(answer: FoundInstances, truth: tuple[Sequence[Rle], NDArray[np.int64]], _: Reading) -> NDArray[np.float64]:
    """By how far masks overlap."""
    true_masks, true_labels = truth
    if any(one.size != (answer.height, answer.width) for one in true_masks):
        raise UsageError(
            f"a mask is of an image of {true_masks[0].size[1]} x {true_masks[0].size[0]} pixels, and its image has "
            f"{answer.width} x {answer.height}"
        )
    overlaps = rle.overlaps([one.segmentation for one in answer.boxes], list(true_masks))
    labels, scores = np.array([one.index for one in answer.boxes], int), np.array([one.score for one in answer.boxes])
    return average_precision.matched(overlaps, labels, scores, np.asarray(true_labels, int))


def target(module: nn.Module, facts: DeploymentFacts, options: Options) -> Target:
    """Of a Mask R-CNN, alone or in a module that hands images on to it, or of a module that answers masks itself."""
    return image_target(detector_of(module, facts), facts, options, wrapper=InstanceModule)


TASK = ExportTask(
    name=RUNTIME.name,
    target=target,
    roles=(BOXES_ROLE, SCORES_ROLE, *FOUND_ROLES, Role("masks")),
    score=Scoring(
        labelled=labelled.instances,
        condensed=lambda rows: rows,
        values=lambda rows, _, __: {f"mask {name}": value for name, value in average_precision.mean(rows).items()},
        counted=_matched,
        threshold=LEAST,
    ),
    check_answers=check_found,
)
