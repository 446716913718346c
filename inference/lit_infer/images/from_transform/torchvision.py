"""torchvision's transforms, v1 and v2, of PIL images and of tensors."""

from typing import Any

from lit_infer.images.framing import CenterCrop, Fill, Pad
from lit_infer.images.from_transform.facts import PartReader, TransformFacts, numbers, size
from lit_infer.images.resizing import Interpolation, Library, Resize
from lit_infer.images.values import ExifTranspose, Grayscale, Scale

_LIBRARY: dict[str, Library] = {"pil": "pil", "tensor": "torch", "image": "torch"}
_TYPES = {"pil": "PIL.Image.Image", "tensor": "torch.Tensor", "image": "torchvision.tv_tensors._image.Image"}
_PAD_MODES = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "symmetric": "symmetric"}


def library(before: TransformFacts, by: str) -> Library:
    """Whose arithmetic a part has for the image as it is."""
    if before.form not in _LIBRARY:
        raise ValueError(f"{by} is not supported for arrays: torchvision takes PIL images and tensors")
    return _LIBRARY[before.form]


def interpolation(part: Any) -> Interpolation:
    """An `InterpolationMode`, or its name."""
    found = getattr(part.interpolation, "value", part.interpolation)
    name: Interpolation = str(found).replace("-", "_")  # type: ignore[assignment]
    return name


def _upright(before: TransformFacts, _: Any) -> TransformFacts:
    if before.steps or before.form != "pil":
        raise ValueError("exif_transpose comes first: after another step there is no orientation to apply")
    return before.then(ExifTranspose())


def _resize(before: TransformFacts, part: Any) -> TransformFacts:
    by, how = library(before, "Resize"), interpolation(part)
    most = getattr(part, "max_size", None)
    antialias = by == "pil" or getattr(part, "antialias", True) is True
    side = "shorter"
    _check_bytes(before, part, how)
    if part.size is None:
        wanted, most, side = most, None, "longest"
    else:
        wanted = size(part.size)
    return before.then(
        Resize(size=wanted, side=side, max_size=most, interpolation=how, antialias=antialias, library=by)  # type: ignore[arg-type]
    )


def _check_bytes(before: TransformFacts, part: Any, how: Interpolation) -> None:
    """v2 resizes bytes of a tensor as bytes; v1 goes by float32 and rounds, which depends on the processor."""
    if not _is_second(part) and before.is_tensor and not before.is_float and not how.startswith("nearest"):
        raise ValueError(
            f"{type(part).__name__} of torchvision.transforms computes bytes of a tensor in float32: "
            "use torchvision.transforms.v2, or put ToTensor before it"
        )


def _is_second(part: Any) -> bool:
    """Whether it is of `torchvision.transforms.v2`."""
    return ".v2." in f"{type(part).__module__}."


def _name(part: Any) -> str:
    """Of a class's object, or of a function."""
    return str(getattr(part, "__name__", type(part).__name__))


def _center_crop(before: TransformFacts, part: Any) -> TransformFacts:
    return before.then(CenterCrop(size=size(part.size)))


def _pad(before: TransformFacts, part: Any) -> TransformFacts:
    given = [part.padding] if isinstance(part.padding, int) else [int(value) for value in part.padding]
    amounts = {1: given * 4, 2: [*given[:2], *given[:2]], 4: given}[len(given)]
    left, top, right, bottom = amounts
    return before.then(Pad(amounts=(left, top, right, bottom), mode=pad_mode(part), fill=fill(before, part)))


def pad_mode(part: Any) -> Any:
    """The manifest's name of a `padding_mode`."""
    return _PAD_MODES[str(getattr(part.padding_mode, "value", part.padding_mode))]


def of_type(before: TransformFacts, given: Any) -> Any:
    """The value for the image as it is, of what v2 may be given by the type of its input."""
    if not isinstance(given, dict):
        return given
    found = {key if isinstance(key, str) else f"{key.__module__}.{key.__qualname__}": given[key] for key in given}
    return found.get(_TYPES.get(before.form, ""), found.get("others"))


def fill(before: TransformFacts, part: Any) -> Fill:
    """The colour of padding."""
    given = of_type(before, getattr(part, "fill", 0))
    return 0.0 if given is None else (float(given) if isinstance(given, int | float) else numbers(given))


def _grayscale(before: TransformFacts, part: Any) -> TransformFacts:
    return before.then(Grayscale(channels=part.num_output_channels, library=library(before, "Grayscale")))


def _to_image(before: TransformFacts, part: Any) -> TransformFacts:
    _check_no_tensor(before, part)
    return before.in_form("image")


def _to_bytes(before: TransformFacts, part: Any) -> TransformFacts:
    _check_no_tensor(before, part)
    return before.in_form("tensor")


def _check_no_tensor(before: TransformFacts, part: Any) -> None:
    if before.is_tensor:
        raise ValueError(f"{_name(part)} is not supported: the image is a tensor already")


def to_scaled_tensor(before: TransformFacts, part: Any) -> TransformFacts:
    """`ToTensor`: a tensor of 0 to 1."""
    _check_no_tensor(before, part)
    if before.is_float:
        raise ValueError(f"{_name(part)} is not supported after the values are float32")
    return before.then(Scale(), form="tensor")


def _to_dtype(before: TransformFacts, part: Any) -> TransformFacts:
    wanted = of_type(before, part.dtype)
    if not before.is_tensor:
        if _is_second(part) and not isinstance(part.dtype, dict):
            return before  # without a word it leaves them as they are
        raise ValueError(f"{_name(part)} is not supported before the image is a tensor: put ToImage before it")
    if wanted is None or (str(wanted) == "torch.uint8" and not before.is_float):
        return before
    if str(wanted) != "torch.float32":
        raise ValueError(f"{_name(part)}({wanted}) cannot be expressed: give torch.float32")
    scales = getattr(part, "scale", True) is True  # ConvertImageDtype always does
    return before if before.is_float else before.then(Scale(by=255.0 if scales else 1.0))


def _normalize(before: TransformFacts, part: Any) -> TransformFacts:
    if not before.is_tensor:
        raise ValueError("Normalize is not supported before the image is a tensor")
    return before.normalized(part.mean, part.std, by="Normalize")


def _preset(before: TransformFacts, part: Any) -> TransformFacts:
    """The transform of torchvision's pretrained weights: all steps in one object."""
    by, how = library(before, type(part).__name__), interpolation(part)
    antialias = by == "pil" or getattr(part, "antialias", True) is True
    resized = before.then(Resize(size=size(part.resize_size), interpolation=how, antialias=antialias, library=by))
    if hasattr(part, "crop_size"):
        resized = resized.then(CenterCrop(size=size(part.crop_size)))
    return resized.then(Scale(), form="tensor").normalized(part.mean, part.std, by=type(part).__name__)


def _to_pil(before: TransformFacts, _: Any) -> TransformFacts:
    if before.is_float:
        raise ValueError("ToPILImage is not supported after the values are float32")
    return before.in_form("pil")


def _grey_by_pillow(before: TransformFacts, _: Any) -> TransformFacts:
    """`PIL.ImageOps.grayscale`."""
    return before.then(Grayscale())


def in_rgb(before: TransformFacts, _: Any) -> TransformFacts:
    """Three channels of any image."""
    return before.in_rgb()


def same(before: TransformFacts, _: Any) -> TransformFacts:
    """A part that leaves the image as it is."""
    return before


PARTS: dict[str, PartReader] = {
    "PIL.exif_transpose": PartReader(_upright, ("exif_transpose",)),
    "PIL.grayscale": PartReader(_grey_by_pillow, ("grayscale",)),
    "torchvision.Resize": PartReader(_resize, ("resize",)),
    "torchvision.CenterCrop": PartReader(_center_crop, ("center_crop",)),
    "torchvision.Pad": PartReader(_pad, ("pad",)),
    "torchvision.Grayscale": PartReader(_grayscale, ("grayscale",)),
    "torchvision.ToImage": PartReader(_to_image),
    "torchvision.PILToTensor": PartReader(_to_bytes),
    "torchvision.ToPILImage": PartReader(_to_pil),
    "torchvision.ToTensor": PartReader(to_scaled_tensor, ("scale",)),
    "torchvision.ToDtype": PartReader(_to_dtype, ("scale",)),
    "torchvision.ConvertImageDtype": PartReader(_to_dtype, ("scale",)),
    "torchvision.Normalize": PartReader(_normalize, ("normalize",)),
    "torchvision.ImageClassification": PartReader(_preset, ("resize", "center_crop", "normalize")),
    "torchvision.SemanticSegmentation": PartReader(_preset, ("resize", "normalize")),
    "torchvision.ToPureTensor": PartReader(same),
    "torchvision.Identity": PartReader(same),
    "torchvision.RGB": PartReader(in_rgb, ("channels",)),
    "torchvision.to_tensor": PartReader(to_scaled_tensor, ("scale",)),
    "torchvision.pil_to_tensor": PartReader(_to_bytes),
    "torchvision.to_image": PartReader(_to_image),
    "torch.Identity": PartReader(same),
}
