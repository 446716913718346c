"""A detector of torchvision inside a LightningModule whose forward only hands images on to it, as most are written."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lit_export.tasks.torchvision_detectors import KNOWN as ONE_STAGE
from lit_export.tasks.two_stage import KNOWN as TWO_STAGE
from lit_infer import progress
from lit_infer.manifest import DeploymentFacts

_KNOWN = (*ONE_STAGE, *TWO_STAGE)


def detector_of(module: nn.Module, facts: DeploymentFacts) -> nn.Module:
    """The only detector of a module that answers exactly as that does, whatever the scores; else the module itself.

    A module that does more, such as leaving out what scores low, has to be taken apart by who knows it: --submodule.
    """
    parts = module.named_modules()
    inside: list[tuple[str, nn.Module]] = [(name, part) for name, part in parts if name and isinstance(part, _KNOWN)]
    if len(inside) != 1:
        return module
    ((name, detector),) = inside
    images = torch.rand((2, facts.channels, *facts.height_width), generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), _whatever_the_score(detector):
        try:
            wanted, found = detector(list(images)), module(images.clone())
        except Exception:  # whatever their code raises, the export itself says it
            return module
    if not _are_same(wanted, found):
        return module
    progress.note(f"forward answers as its {type(detector).__name__} does: {name} is taken in its place")
    return detector


@contextmanager
def _whatever_the_score(detector: Any) -> Iterator[None]:
    """In the block the detector reports also what scores next to nothing: else little may be there to compare."""
    part = detector.roi_heads if isinstance(detector, TWO_STAGE) else detector
    kept, part.score_thresh = part.score_thresh, 0.0
    try:
        yield
    finally:
        part.score_thresh = kept


def _are_same(wanted: Sequence[Mapping[str, Any]], found: Any) -> bool:
    """Whether two answers have the same tensors, and some."""
    if not isinstance(found, Sequence) or len(found) != len(wanted):
        return False
    return any(len(one["boxes"]) for one in wanted) and all(
        isinstance(other, Mapping)
        and one.keys() == other.keys()
        and all(torch.equal(value, other[key]) for key, value in one.items())
        for one, other in zip(wanted, found, strict=True)
    )
