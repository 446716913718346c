"""Hugging Face's image processors that resize, crop, rescale and normalise, slow (Pillow) and fast (torchvision).

Slow and fast ones of one model differ in some pixels; which one it is, the object says.
"""

from typing import Any

from lit_infer.images.framing import CenterCrop, Pad
from lit_infer.images.from_transform.facts import PartReader, TransformFacts
from lit_infer.images.resizing import Interpolation, Library, Resize
from lit_infer.images.values import Channels, Scale

_RESAMPLE: dict[int, Interpolation] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
}
_PLAIN = (
    *("ViT", "CLIP", "Bit", "Siglip", "DeiT", "MobileNetV1", "MobileNetV2", "MobileViT"),
    *("Beit", "Blip", "ChineseCLIP", "OwlViT", "Pvt", "Segformer"),
)
_LENGTHS = ("shortest_edge", "longest_edge", "height", "width", "max_height", "max_width")
_FORMS = ("ImageProcessor", "ImageProcessorFast", "ImageProcessorPil")


def _library(part: Any) -> Library:
    backend = getattr(part, "backend", None)
    is_fast = backend == "torchvision" if backend is not None else type(part).__name__.endswith("Fast")
    return "torch" if is_fast else "pil"


def _side(given: Any, name: str) -> int | None:
    """A length of a `size`, which is a dict or an object."""
    found = given.get(name) if hasattr(given, "get") else getattr(given, name, None)
    return None if found is None else int(found)


def _how(part: Any) -> Interpolation:
    """The manifest's name of its `resample`. By torchvision, nearest is `nearest-exact`."""
    name = _RESAMPLE[int(getattr(part.resample, "value", part.resample))]
    return "nearest_exact" if name == "nearest" and _library(part) == "torch" else name


def _resized(before: TransformFacts, part: Any) -> TransformFacts:
    high, wide, short, long = (_side(part.size, name) for name in ("height", "width", "shortest_edge", "longest_edge"))
    by, how = _library(part), _how(part)
    if high and wide:
        return before.then(Resize(size=(high, wide), interpolation=how, library=by))
    most = _side(part.size, "max_height"), _side(part.size, "max_width")
    if most[0] and most[1]:
        return before.then(Resize(size=(most[0], most[1]), keep_ratio="fit", interpolation=how, library=by))
    if not short or long:
        given = " and ".join(name for name in _LENGTHS if _side(part.size, name))
        raise ValueError(
            f"{type(part).__name__}(size of {given}) cannot be expressed: give height and width, or shortest_edge alone"
        )
    return before.then(Resize(size=short, interpolation=how, library=by))


def _cropped(before: TransformFacts, part: Any, wanted: tuple[int, int]) -> TransformFacts:
    smaller: Any = "pad" if _library(part) == "torch" else "pad_more_first"
    return before.then(CenterCrop(size=wanted, rounding="down", smaller=smaller))


def _values(before: TransformFacts, part: Any) -> TransformFacts:
    factor = float(part.rescale_factor) if part.do_rescale else 1.0
    scaled = before.then(Scale(by=_divisor(factor)), form="tensor")
    if getattr(part, "do_flip_channel_order", None):
        scaled = scaled.then(Channels(order=(2, 1, 0)))
    if not getattr(part, "do_normalize", None):
        return scaled
    return scaled.normalized(part.image_mean, part.image_std, by=type(part).__name__)


def _divisor(factor: float) -> float:
    """1 / factor, a whole number where it is meant to be one."""
    by = 1.0 / factor
    return float(round(by)) if abs(by - round(by)) < 1e-6 * by else by


def _plain(before: TransformFacts, part: Any) -> TransformFacts:
    """Resize, crop, rescale, normalise, each if it is switched on."""
    if part.do_resize:
        before = _resized(before, part)
    if getattr(part, "do_center_crop", None):
        high, wide = _side(part.crop_size, "height"), _side(part.crop_size, "width")
        before = _cropped(before, part, (high or 0, wide or 0))
    return _padded(_values(before, part), part)


def _padded(before: TransformFacts, part: Any) -> TransformFacts:
    """After normalisation, with zeros at the right and the bottom."""
    if not getattr(part, "do_pad", None):
        return before
    size = getattr(part, "pad_size", None)
    high, wide = (_side(size, name) if size else None for name in ("height", "width"))
    if not (high and wide):
        raise ValueError(
            f"{type(part).__name__}(do_pad=True) pads to the largest image of a batch: give pad_size a height and a "
            "width, or do_pad=False"
        )
    return before.then(Pad(size=(high, wide), position="top_left"))


def _convnext(before: TransformFacts, part: Any) -> TransformFacts:
    """ConvNeXt's: below 384 pixels a larger resize and a crop, else a square."""
    short = _side(part.size, "shortest_edge")
    if short is None:
        raise ValueError(f"{type(part).__name__} without a shortest_edge cannot be expressed")
    by, how = _library(part), _how(part)
    if part.do_resize and short < 384:
        before = before.then(Resize(size=int(short / part.crop_pct), interpolation=how, library=by))
        before = _cropped(before, part, (short, short))
    elif part.do_resize:
        before = before.then(Resize(size=(short, short), interpolation=how, library=by))
    return _values(before, part)


_STEPS = ("resize", "center_crop", "scale", "channels", "normalize", "pad")
PARTS: dict[str, PartReader] = {
    f"transformers.{name}{form}": PartReader(_plain, _STEPS) for name in _PLAIN for form in _FORMS
}
PARTS |= {f"transformers.ConvNext{form}": PartReader(_convnext, _STEPS) for form in _FORMS}
