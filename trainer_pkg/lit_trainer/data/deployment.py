"""Read deployment facts off the evaluation transform, so that the two cannot drift apart."""

from typing import Any

import torch
from torchvision.transforms import InterpolationMode, v2

from lit_infer.manifest import CenterCrop, DeploymentFacts, Normalize, Resize, Step, Task


def facts_from_transform(
    transform: v2.Compose, *, task: Task, labels: tuple[str, ...] | None = None
) -> DeploymentFacts:
    """The facts of a transform of PIL images: Resize and CenterCrop, then ToImage, ToDtype, Normalize.

    Raises ValueError for a transform that the runtime would not repeat bit for bit.
    """
    steps: list[Step] = []
    normalize: Normalize | None = None
    still_pil, scaled = True, False
    for part in transform.transforms:
        match part:
            case v2.Resize() if still_pil:
                steps.append(Step(resize=_resize(part)))
            case v2.CenterCrop() if still_pil:
                steps.append(Step(center_crop=CenterCrop(size=_pair(part.size))))
            case v2.ToImage() if still_pil:
                still_pil = False
            case v2.ToDtype(dtype=torch.float32, scale=True) if not still_pil and normalize is None:
                scaled = True
            case v2.Normalize() if scaled and normalize is None:
                normalize = Normalize(mean=tuple(part.mean), std=tuple(part.std))
            case _:
                raise ValueError(
                    f"{type(part).__name__} is not understood here. An evaluation transform is Resize and CenterCrop "
                    "of the PIL image, then ToImage, ToDtype(torch.float32, scale=True) and Normalize"
                )
    if not scaled:
        raise ValueError("the evaluation transform must end in ToDtype(torch.float32, scale=True), perhaps Normalize")
    return DeploymentFacts(task=task, preprocess=tuple(steps), normalize=normalize, labels=labels)


def _resize(part: v2.Resize) -> Resize:
    if part.max_size is not None:
        raise ValueError("Resize(max_size=...) is not understood here")
    size = part.size if isinstance(part.size, int) or len(part.size) > 1 else part.size[0]
    interpolation: Any = InterpolationMode(part.interpolation).value  # torchvision takes the enum and its value
    if interpolation not in ("nearest", "bilinear", "bicubic"):
        raise ValueError(
            f"Resize(interpolation={interpolation}) is not understood here; bilinear, bicubic, nearest are"
        )
    return Resize(size=size if isinstance(size, int) else _pair(size), interpolation=interpolation)


def _pair(size: Any) -> tuple[int, int]:
    height, width = size
    return height, width
