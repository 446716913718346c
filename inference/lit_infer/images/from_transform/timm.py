"""timm's own transforms; the rest of `timm.data.create_transform` is torchvision's."""

from typing import Any

from lit_infer.images.framing import CenterCrop, Pad
from lit_infer.images.from_transform import torchvision
from lit_infer.images.from_transform.facts import PartReader, TransformFacts
from lit_infer.images.resizing import Resize
from lit_infer.images.values import Scale


def _keep_ratio(before: TransformFacts, part: Any) -> TransformFacts:
    if part.random_scale_prob or part.random_aspect_prob or isinstance(part.interpolation, tuple | list):
        raise ValueError("ResizeKeepRatio with a random part is for training; drop it")
    if part.longest not in (0.0, 1.0):
        raise ValueError(f"ResizeKeepRatio(longest={part.longest}) cannot be expressed but for 0 and 1")
    keep: Any = "fit" if part.longest else "cover"
    high, wide = part.size
    step = Resize(
        size=(int(high), int(wide)),
        keep_ratio=keep,
        rounding="nearest_quotient",
        interpolation=torchvision.interpolation(part),
        library=torchvision.library(before, "ResizeKeepRatio"),
    )
    return before.then(step)


def _crop_or_pad(before: TransformFacts, part: Any) -> TransformFacts:
    """Padded where it is smaller, then cut."""
    high, wide = part.size
    wanted = int(high), int(wide)
    pad = Pad(size=wanted, mode=torchvision.pad_mode(part), fill=torchvision.fill(before, part))
    return before.then(pad, CenterCrop(size=wanted))


def _maybe_to_tensor(before: TransformFacts, part: Any) -> TransformFacts:
    return before if before.is_tensor else torchvision.to_scaled_tensor(before, part)


def _to_tensor(before: TransformFacts, part: Any) -> TransformFacts:
    """Without scaling."""
    if str(part.dtype) != "torch.float32":
        raise ValueError(f"ToTensor(dtype={part.dtype}) is not supported but for torch.float32")
    return before.then(Scale(by=1.0), form="tensor")


def _to_bytes(before: TransformFacts, _: Any) -> TransformFacts:
    return before.in_form("tensor")


PARTS: dict[str, PartReader] = {
    "timm.ResizeKeepRatio": PartReader(_keep_ratio, ("resize",)),
    "timm.CenterCropOrPad": PartReader(_crop_or_pad, ("pad", "center_crop")),
    "timm.MaybeToTensor": PartReader(_maybe_to_tensor, ("scale",)),
    "timm.MaybePILToTensor": PartReader(_to_bytes),
    "timm.ToNumpy": PartReader(_to_bytes),
    "timm.ToTensor": PartReader(_to_tensor, ("scale",)),
}
