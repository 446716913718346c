"""The basics of MONAI: sizes and intensities of arrays that were read by something else."""

from typing import Any

from lit_infer.images.framing import CenterCrop, Pad
from lit_infer.images.from_transform.facts import PartReader, TransformFacts, size
from lit_infer.images.resizing import Resize
from lit_infer.images.values import Scale, Stretch


def _to_tensor(before: TransformFacts, part: Any) -> TransformFacts:
    made = before.in_form("tensor")
    return _as_floats(made) if str(getattr(part, "dtype", None)) == "torch.float32" else made


def _scale_intensity(before: TransformFacts, part: Any) -> TransformFacts:
    if (part.minv, part.maxv) != (0.0, 1.0) or part.factor is not None:
        raise ValueError("ScaleIntensity is not supported but to 0 and 1")
    return _as_floats(before).then(Stretch(per_channel=part.channel_wise))


def _scale_range(before: TransformFacts, part: Any) -> TransformFacts:
    if part.clip:
        raise ValueError("ScaleIntensityRange(clip=True) cannot be expressed: give clip=False where no value is beyond")
    low, high, to = float(part.a_min), float(part.a_max), (part.b_min, part.b_max)
    if low == 0 and to == (0.0, 1.0):
        return before.then(Scale(by=high))
    if to == (None, None):
        to = (0.0, 1.0)
    if None in to or not (high - low) * (to[1] - to[0]) > 0:
        raise ValueError(f"ScaleIntensityRange({low:g}, {high:g}, {to[0]}, {to[1]}) cannot be expressed")
    if low != 0 and not before.is_float:
        raise ValueError(
            f"ScaleIntensityRange(a_min={low:g}) of bytes starts anew below 0 in MONAI: put "
            "EnsureType(dtype=torch.float32) before it"
        )
    width = (high - low) / (to[1] - to[0])
    return _as_floats(before).normalized(low - to[0] * width, width, by="ScaleIntensityRange")


def _normalize_intensity(before: TransformFacts, part: Any) -> TransformFacts:
    if part.nonzero:
        raise ValueError("NormalizeIntensity(nonzero=True) cannot be expressed")
    if (part.subtrahend is None) != (part.divisor is None):
        raise ValueError("NormalizeIntensity is not supported but with both of subtrahend and divisor, or neither")
    if part.subtrahend is None:
        return _as_floats(before).then(Stretch(kind="standard", per_channel=part.channel_wise))
    return _as_floats(before).normalized(part.subtrahend, part.divisor, by="NormalizeIntensity")


def _resize(before: TransformFacts, part: Any) -> TransformFacts:
    """By `torch.nn.functional.interpolate` of float32."""
    if part.anti_aliasing:
        raise ValueError("MONAI's Resize(anti_aliasing=True) blurs first and cannot be expressed")
    name: Any = str(getattr(part.mode, "value", part.mode)).replace("-", "_")
    if part.align_corners and name in ("bilinear", "bicubic"):
        name += "_corners"
    wanted = part.spatial_size
    if part.size_mode == "longest":
        raise ValueError("MONAI's Resize(size_mode='longest') cannot be expressed; give both lengths")
    lengths = size(wanted)
    both = (lengths, lengths) if isinstance(lengths, int) else lengths
    return _as_floats(before).then(Resize(size=both, interpolation=name, antialias=False, library="torch"))


def _crop(before: TransformFacts, part: Any) -> TransformFacts:
    return before.then(CenterCrop(size=size(part.roi_size), rounding="halves", smaller="error"))


def _pad(before: TransformFacts, part: Any) -> TransformFacts:
    modes: dict[str, Any] = {
        "constant": "constant",
        "edge": "replicate",
        "reflect": "reflect",
        "symmetric": "symmetric",
    }
    mode = str(getattr(part.mode, "value", part.mode))
    position: Any = "center" if str(getattr(part.method, "value", part.method)) == "symmetric" else "top_left"
    if mode not in modes:
        raise ValueError(f"SpatialPad(mode={mode}) cannot be expressed")
    fill = float(part.kwargs.get("value", part.kwargs.get("constant_values", 0)))
    return before.then(Pad(size=size(part.spatial_size), mode=modes[mode], position=position, fill=fill))


def _as_floats(before: TransformFacts) -> TransformFacts:
    return before if before.is_float else before.then(Scale(by=1.0))


PARTS: dict[str, PartReader] = {
    "monai.EnsureChannelFirst": PartReader(_to_tensor),
    "monai.EnsureType": PartReader(_to_tensor),
    "monai.ToTensor": PartReader(_to_tensor),
    "monai.Resize": PartReader(_resize, ("scale", "resize")),
    "monai.CenterSpatialCrop": PartReader(_crop, ("center_crop",)),
    "monai.SpatialPad": PartReader(_pad, ("pad",)),
    "monai.ScaleIntensity": PartReader(_scale_intensity, ("stretch",)),
    "monai.ScaleIntensityRange": PartReader(_scale_range, ("scale",)),
    "monai.NormalizeIntensity": PartReader(_normalize_intensity, ("stretch", "normalize")),
}
