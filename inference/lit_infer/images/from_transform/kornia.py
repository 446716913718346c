"""The basics of kornia: float32 tensors, resized without antialiasing unless asked for."""

from typing import Any

from lit_infer.images.from_transform.facts import PartReader, TransformFacts, size
from lit_infer.images.resizing import Resize


def _of(part: Any, name: str) -> Any:
    """An attribute, or a flag of an augmentation."""
    return part.flags[name] if hasattr(part, "flags") and name in part.flags else getattr(part, name)


def _resize(before: TransformFacts, part: Any) -> TransformFacts:
    if not before.is_tensor or not before.is_float:
        raise ValueError("kornia's Resize is not supported before the image is a tensor of float32")
    how = _of(part, "resample" if hasattr(part, "flags") else "interpolation")
    name = str(getattr(how, "name", how)).lower().replace("-", "_")
    if hasattr(part, "flags") and name == "nearest":  # an augmentation's nearest
        name = "nearest_exact"
    if name in ("bilinear", "bicubic") and _of(part, "align_corners"):
        name += "_corners"
    if _of(part, "antialias"):
        raise ValueError("kornia's Resize(antialias=True) blurs first and cannot be expressed; use torchvision's")
    wanted = size(_of(part, "size"))
    if isinstance(wanted, int):
        raise ValueError(f"kornia's Resize({wanted}) cannot be expressed; give both lengths")
    step = Resize(size=wanted, interpolation=name, antialias=False, library="torch")  # type: ignore[arg-type]
    return before.then(step, form="tensor")


def _normalize(before: TransformFacts, part: Any) -> TransformFacts:
    return before.normalized(_flat(_of(part, "mean")), _flat(_of(part, "std")), by="kornia's Normalize")


def _flat(values: Any) -> Any:
    return values.flatten() if hasattr(values, "flatten") else values


PARTS: dict[str, PartReader] = {
    "kornia.Resize": PartReader(_resize, ("resize",)),
    "kornia.Normalize": PartReader(_normalize, ("normalize",)),
}
