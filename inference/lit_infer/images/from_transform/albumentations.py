"""albumentations' transforms (and AlbumentationsX's, which have the same names): arrays, by OpenCV."""

from typing import Any, Literal

from lit_infer.images.framing import CenterCrop, Crop, Fill, Pad
from lit_infer.images.from_transform.facts import PartReader, TransformFacts, numbers
from lit_infer.images.resizing import Interpolation, Resize
from lit_infer.images.values import Channels, Grayscale, Scale, Stretch

_CV2: dict[int, Interpolation] = {
    0: "nearest",
    1: "bilinear",
    2: "bicubic",
    3: "area",
    4: "lanczos",
    6: "nearest_exact",
}
_BORDERS: dict[int, Literal["constant", "replicate", "symmetric", "reflect"]] = {
    0: "constant",
    1: "replicate",
    2: "symmetric",
    4: "reflect",
}
"""cv2.BORDER_*."""
_EPSILON, _LIMIT = 1e-4, 20.0  # albumentations' own, where an image is scaled by its own values


def interpolation(part: Any, flag: int) -> Interpolation:
    """The manifest's name of a `cv2.INTER_*`."""
    if flag not in _CV2:
        raise ValueError(f"{type(part).__name__}(interpolation={flag}) cannot be expressed")
    return _CV2[flag]


def _resampled(part: Any) -> dict[str, Any]:
    shrinking = "area" if getattr(part, "area_for_downscale", None) else None
    how = interpolation(part, part.interpolation)
    return {"interpolation": how, "shrinking": shrinking, "library": "opencv", "antialias": False}


def _resize(before: TransformFacts, part: Any) -> TransformFacts:
    return before.then(Resize(size=(part.height, part.width), **_resampled(part)), form="array")


def _one_side(before: TransformFacts, part: Any) -> TransformFacts:
    is_longest = type(part).__name__ == "LongestMaxSize"
    if isinstance(part.max_size, list | tuple):
        raise ValueError(f"{type(part).__name__}(max_size={part.max_size}) is random: it is for training; give one")
    high, wide = getattr(part, "max_size_hw", None) or (None, None)
    lengths: dict[str, Any]
    if part.max_size is not None:
        lengths = {"size": int(part.max_size), "side": "longest" if is_longest else "shorter"}
    elif high is not None and wide is not None:
        lengths = {"size": (high, wide), "keep_ratio": "fit" if is_longest else "cover"}
    else:
        lengths = {"size": high or wide, "side": "height" if high else "width"}
    return before.then(Resize(**lengths, rounding="nearest", **_resampled(part)), form="array")


def _edges(part: Any, position: Any = "center") -> dict[str, Any]:
    if part.border_mode not in _BORDERS or position == "random":
        what = f"position={position}" if position == "random" else f"border_mode={part.border_mode}"
        raise ValueError(f"{type(part).__name__}({what}) cannot be expressed")
    return {"mode": _BORDERS[part.border_mode], "fill": _fill(part.fill), "position": str(position)}


def _fill(given: Any) -> Fill:
    return float(given) if isinstance(given, int | float) else numbers(given)


def _pad_if_needed(before: TransformFacts, part: Any) -> TransformFacts:
    edges = _edges(part, part.position)
    sizes = [(part.min_height, part.pad_height_divisor), (part.min_width, part.pad_width_divisor)]
    added = []
    (high, tall), (wide, broad) = sizes
    if high or wide:
        added.append(Pad(size=(high or 1, wide or 1), **edges))
    if tall or broad:
        added.append(Pad(multiple=(tall or 1, broad or 1), **edges))
    return before.then(*added, form="array")


def _pad(before: TransformFacts, part: Any) -> TransformFacts:
    given = [part.padding] if isinstance(part.padding, int) else list(part.padding)
    left, top, right, bottom = {1: given * 4, 2: [*given, *given], 4: given}[len(given)]
    edges = _edges(part)
    return before.then(Pad(amounts=(left, top, right, bottom), **edges), form="array")


def _center_crop(before: TransformFacts, part: Any) -> TransformFacts:
    wanted = (part.height, part.width)
    if part.pad_if_needed:
        before = before.then(Pad(size=wanted, **_edges(part, part.pad_position)))
    return before.then(CenterCrop(size=wanted, rounding="down", smaller="error"), form="array")


def _crop(before: TransformFacts, part: Any) -> TransformFacts:
    if getattr(part, "pad_if_needed", False):
        raise ValueError("Crop(pad_if_needed=True) cannot be expressed; use PadIfNeeded before it")
    return before.then(Crop(box=(part.x_min, part.y_min, part.x_max, part.y_max)), form="array")


def _to_gray(before: TransformFacts, part: Any) -> TransformFacts:
    if getattr(part, "method", "weighted_average") != "weighted_average":
        raise ValueError(f"ToGray(method={part.method}) cannot be expressed")
    count = part.num_output_channels
    if count in (1, 3):
        return before.then(Grayscale(channels=count, library="opencv"), form="array")
    return before.then(Grayscale(library="opencv"), Channels(order=(0,) * count), form="array")


def _to_float(before: TransformFacts, part: Any) -> TransformFacts:
    return before.then(Scale(by=float(part.max_value or 255)), form="array")


def _normalize(before: TransformFacts, part: Any) -> TransformFacts:
    kind = getattr(part, "normalization", "standard")
    if kind == "standard":
        scaled = before if before.is_float else before.then(Scale(by=float(part.max_pixel_value or 255)), form="array")
        if before.is_float and part.max_pixel_value not in (None, 1, 1.0):
            raise ValueError("Normalize(max_pixel_value=…) of float32 values cannot be expressed; give 1.0")
        return scaled.normalized(part.mean, part.std, by="Normalize")
    base = kind.removesuffix("_per_channel")
    kinds: dict[str, Any] = {"image": "standard", "min_max": "min_max"}
    if base not in kinds:
        raise ValueError(f"Normalize(normalization={kind}) cannot be expressed")
    epsilon = 0.0 if before.is_float and kind == "min_max" else _EPSILON  # by cv2.normalize
    step = Stretch(kind=kinds[base], per_channel=kind.endswith("_per_channel"), epsilon=epsilon, limit=_LIMIT)
    return before.then(Scale(by=1.0), step, form="array")


def _to_tensor(before: TransformFacts, _: Any) -> TransformFacts:
    return before.in_form("tensor")


def _same(before: TransformFacts, _: Any) -> TransformFacts:
    return before.in_form("array")


def _to_rgb(before: TransformFacts, _: Any) -> TransformFacts:
    return before.in_rgb().in_form("array")


PARTS: dict[str, PartReader] = {
    "albumentations.Resize": PartReader(_resize, ("resize",)),
    "albumentations.LongestMaxSize": PartReader(_one_side, ("resize",)),
    "albumentations.SmallestMaxSize": PartReader(_one_side, ("resize",)),
    "albumentations.PadIfNeeded": PartReader(_pad_if_needed, ("pad",)),
    "albumentations.Pad": PartReader(_pad, ("pad",)),
    "albumentations.CenterCrop": PartReader(_center_crop, ("pad", "center_crop")),
    "albumentations.Crop": PartReader(_crop, ("crop",)),
    "albumentations.ToGray": PartReader(_to_gray, ("grayscale", "channels")),
    "albumentations.ToFloat": PartReader(_to_float, ("scale",)),
    "albumentations.Normalize": PartReader(_normalize, ("scale", "normalize", "stretch")),
    "albumentations.ToTensorV2": PartReader(_to_tensor),
    "albumentations.ToRGB": PartReader(_to_rgb, ("channels",)),
    "albumentations.NoOp": PartReader(_same),
}
