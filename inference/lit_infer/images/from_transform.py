"""From training's evaluation transform to the manifest's steps: read from its objects, by class name and attributes.

Training, export and users call the same function, and it imports no library. A part that the runtime would not
repeat bit for bit raises ValueError; none is skipped.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lit_infer.images.preprocess import CenterCrop, ExifTranspose, Normalize, Resize, Step

_EXPECTED = (
    "An evaluation transform is Resize and CenterCrop of the PIL image, then ToImage, ToDtype(torch.float32, "
    "scale=True) and Normalize"
)


@dataclass(frozen=True)
class TransformFacts:
    """What a transform does to an image."""

    steps: tuple[Step, ...] = ()
    """Of the PIL image, on the host."""
    normalize: Normalize | None = None
    """Of the scaled tensor, inside the graph."""
    is_tensor: bool = False
    is_scaled: bool = False


def read(transform: Any) -> TransformFacts:
    """What a torchvision transform of PIL images does: a Compose, one part, or the preset of pretrained weights.

    Raises ValueError for a transform that the runtime would not repeat bit for bit.
    """
    found = TransformFacts()
    for part in _parts(transform):
        found = _after(found, part)
    if not found.is_scaled:
        raise ValueError("the evaluation transform must end in ToDtype(torch.float32, scale=True), perhaps Normalize")
    return found


def _parts(transform: Any) -> Iterator[Any]:
    match _name(transform):
        case "torchvision.Compose":
            for part in transform.transforms:
                yield from _parts(part)
        case "torchvision.ImageClassification":
            yield _Preset(transform)
        case _:
            yield transform


@dataclass(frozen=True)
class _Preset:
    """The transform of torchvision's pretrained weights: all steps in one object."""

    transform: Any


def _after(before: TransformFacts, part: Any) -> TransformFacts:
    """What the transform does up to and including this part."""
    if isinstance(part, _Preset) and not before.is_tensor:
        return _preset(before, part.transform)
    name = _name(part)
    for rule in FROM_TRANSFORM.values():
        if name in rule.names and not before.is_tensor:
            return replace(before, steps=(*before.steps, rule.step(part)))
    if name in _TENSOR and (made := _TENSOR[name](before, part)) is not None:
        return made
    raise ValueError(f"{getattr(part, '__name__', type(part).__name__)} is not supported. {_EXPECTED}")


def _name(part: Any) -> str:
    """`library.Name` of a transform: of its class, or of a function itself. A subclass may do something else."""
    named = part if hasattr(part, "__name__") else type(part)
    return f"{named.__module__.partition('.')[0]}.{named.__name__}"


def _resize(part: Any) -> Step:
    if getattr(part, "max_size", None) is not None:
        raise ValueError("Resize(max_size=...) is not supported")
    size = part.size if isinstance(part.size, int) or len(part.size) > 1 else part.size[0]
    interpolation = getattr(part.interpolation, "value", part.interpolation)
    if interpolation not in ("nearest", "bilinear", "bicubic"):
        raise ValueError(f"Resize(interpolation={interpolation}) is not supported; use bilinear, bicubic or nearest")
    return Step(resize=Resize(size=size if isinstance(size, int) else _pair(size), interpolation=interpolation))


def _center_crop(part: Any) -> Step:
    return Step(center_crop=CenterCrop(size=part.size if isinstance(part.size, int) else _pair(part.size)))


def _pair(size: Any) -> tuple[int, int]:
    height, width = size
    return int(height), int(width)


def _preset(before: TransformFacts, transform: Any) -> TransformFacts:
    size, crop = transform.resize_size, transform.crop_size
    resize = Resize(
        size=size[0] if len(size) == 1 else _pair(size),
        interpolation=getattr(transform.interpolation, "value", transform.interpolation),
    )
    steps = (Step(resize=resize), Step(center_crop=CenterCrop(size=crop[0] if len(crop) == 1 else _pair(crop))))
    return TransformFacts((*before.steps, *steps), _mean_std(transform), is_tensor=True, is_scaled=True)


def _mean_std(part: Any) -> Normalize:
    return Normalize(mean=tuple(float(v) for v in part.mean), std=tuple(float(v) for v in part.std))


def _to_image(before: TransformFacts, _: Any) -> TransformFacts | None:
    return None if before.is_tensor else replace(before, is_tensor=True)


def _to_scaled(before: TransformFacts, _: Any) -> TransformFacts | None:
    return None if before.is_tensor else replace(before, is_tensor=True, is_scaled=True)


def _to_float(before: TransformFacts, part: Any) -> TransformFacts | None:
    scales = getattr(part, "scale", True) is True  # ConvertImageDtype always does
    is_float32 = str(part.dtype) == "torch.float32"
    fits = before.is_tensor and before.normalize is None and scales and is_float32
    return replace(before, is_scaled=True) if fits else None


def _normalize(before: TransformFacts, part: Any) -> TransformFacts | None:
    fits = before.is_scaled and before.normalize is None
    return replace(before, normalize=_mean_std(part)) if fits else None


@dataclass(frozen=True)
class Rule:
    """How a step is recognised in a transform."""

    names: frozenset[str]
    """`library.Class`, or `library.function`."""
    step: Callable[[Any], Step]


FROM_TRANSFORM: dict[str, Rule] = {
    "exif_transpose": Rule(frozenset({"PIL.exif_transpose"}), lambda _: Step(exif_transpose=ExifTranspose())),
    "resize": Rule(frozenset({"torchvision.Resize"}), _resize),
    "center_crop": Rule(frozenset({"torchvision.CenterCrop"}), _center_crop),
}
"""By the step's name in the manifest."""

_TENSOR: dict[str, Callable[[TransformFacts, Any], TransformFacts | None]] = {
    "torchvision.ToImage": _to_image,
    "torchvision.PILToTensor": _to_image,
    "torchvision.ToTensor": _to_scaled,
    "torchvision.ToDtype": _to_float,
    "torchvision.ConvertImageDtype": _to_float,
    "torchvision.Normalize": _normalize,
}
"""The end of a transform, which is inside the graph. None: not allowed after what came before."""
