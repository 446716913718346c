"""From training's evaluation transform to the manifest's steps: read from its objects, by class name and attributes.

Training, export and users call the same function, and it imports no library. A part that the runtime would not
repeat raises ValueError, which names it; none is skipped.
"""

from typing import Any

import msgspec

from lit_infer.images.from_transform import albumentations, huggingface, kornia, monai, timm, torchvision, ultralytics
from lit_infer.images.from_transform.facts import PartReader, TransformFacts, lifted, name_of
from lit_infer.images.preprocess import Step

__all__ = ["FROM_TRANSFORM", "TransformFacts", "read"]

FROM_TRANSFORM: dict[str, PartReader] = (
    torchvision.PARTS
    | albumentations.PARTS
    | timm.PARTS
    | huggingface.PARTS
    | kornia.PARTS
    | monai.PARTS
    | ultralytics.PARTS
)
"""By `library.Class`, or `library.function`."""

_RANDOM = (
    *("Random", "ColorJitter", "AutoAugment", "TrivialAugment", "AugMix", "MixUp", "CutMix", "GaussNoise", "Flip"),
    *("OneOf", "SomeOf"),
)
_WITH_CHANCE = ("torchvision", "albumentations")
"""Libraries whose `p` is the share of images that something is done to."""
_CURE = (
    "move it into forward, or give the steps as a spec and use the transform only to compare "
    "(--spec FILE --transform PKG.MOD:NAME)"
)


def read(transform: Any) -> TransformFacts:
    """What an evaluation transform does to an image: a composition, one part, or the processor of pretrained weights.

    Libraries: torchvision (v1 and v2, of PIL images or tensors), albumentations, timm, Hugging Face's image processors,
    and the basics of kornia and MONAI. Raises ValueError for what cannot be expressed, naming the part.
    """
    found = _read(TransformFacts(), transform)
    if not found.is_float:
        raise ValueError(
            "the evaluation transform must end in float32: in ToDtype(torch.float32, scale=True), say, or Normalize"
        )
    return lifted(_checked(found))


def _checked(facts: TransformFacts) -> TransformFacts:
    """Facts that a manifest can hold: an attribute of a transform may be anything."""
    try:
        msgspec.convert(msgspec.to_builtins(facts.steps), tuple[Step, ...])
    except msgspec.ValidationError as error:
        raise ValueError(f"its steps cannot be expressed ({error}): {_CURE}") from None
    return facts


def _read(before: TransformFacts, transform: Any) -> TransformFacts:
    """What is done up to and including this transform."""
    name = name_of(transform)
    if name.partition(".")[0] in _WITH_CHANCE and getattr(transform, "p", 1) == 0:
        return before  # it is done to no image
    _refuse_random(name, transform)
    if name in _COMPOSITIONS:
        for part in _COMPOSITIONS[name](transform):
            before = _read(before, part)
        return before
    if name not in FROM_TRANSFORM:
        raise ValueError(_unknown(transform))
    try:
        return FROM_TRANSFORM[name].read(before, transform)
    except ValueError as error:
        raise ValueError(f"{error}: {_CURE}" if str(error).endswith("cannot be expressed") else str(error)) from None
    except (AttributeError, TypeError, KeyError) as error:  # another release, with other attributes
        raise ValueError(f"{_short(transform)} of this release is not known here ({error})") from None


def _refuse_random(name: str, transform: Any) -> None:
    """What is done to some images only; a part that does nothing may be done to any."""
    does_nothing = name in FROM_TRANSFORM and not FROM_TRANSFORM[name].steps
    share = next((p for attribute in ("p", "p_batch") if (p := getattr(transform, attribute, 1)) != 1), 1)
    if share != 1 and not does_nothing and (name in FROM_TRANSFORM or name in _COMPOSITIONS):
        raise ValueError(f"{_short(transform)} is random (p={share}): give p=1, or drop it if it is for training")


def _unknown(transform: Any) -> str:
    name = _short(transform)
    if "Random" in name and "Crop" in name:
        return f"{name} is for training; evaluate with a Resize and a CenterCrop"
    if any(word in name for word in _RANDOM) and not ("Flip" in name and getattr(transform, "p", 0) == 1):
        return f"{name} is for training; drop it"
    return f"{name} cannot be expressed: {_CURE}"


def _short(transform: Any) -> str:
    if hasattr(transform, "func"):  # functools.partial
        return f"partial({_short(transform.func)})"
    return str(getattr(transform, "__name__", type(transform).__name__))


_COMPOSITIONS: dict[str, Any] = {
    "torchvision.Compose": lambda composed: composed.transforms,
    "torchvision.RandomApply": lambda composed: composed.transforms,  # of p=1
    "albumentations.Compose": lambda composed: composed.transforms,
    "albumentations.Sequential": lambda composed: composed.transforms,
    "albumentations.ReplayCompose": lambda composed: composed.transforms,
    "monai.Compose": lambda composed: composed.transforms,
    "torch.Sequential": list,
    "kornia.AugmentationSequential": list,
    "kornia.ImageSequential": list,
}
