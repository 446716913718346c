"""The training side of the comparison: the same preprocessing by training's own library, written independently.

`REFERENCE` is the twin of `lit_infer.images.steps.APPLY`. It is the proof, so it shares no code with it: torchvision
for PIL images and tensors, OpenCV for what albumentations does, NumPy for the rest.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ImageOps
from torchvision.transforms.v2 import functional

from lit_export.proof import reference_files
from lit_export.proof.reference_pictures import Loaded, as_pil, opencv, size_of
from lit_export.proof.reference_resizing import LIBRARIES, ROUND, resized
from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts, Step


def training_pixels(path: Path, facts: DeploymentFacts) -> NDArray[Any]:
    """[height, width, channels], as a loader such as ImageFolder and the evaluation transform make it."""
    steps = list(facts.preprocess)
    image = reference_files.read(path, steps, facts)
    for step in steps:
        image = _applied(image, step)
    made = np.asarray(image)
    return made.reshape(*made.shape[:2], facts.channels).astype(facts.pixel_dtype)


def _applied(image: Loaded, step: Step) -> Loaded:
    if step.kind not in REFERENCE:
        raise UsageError(f"preprocessing step {step.kind} has no reference to compare with")
    return REFERENCE[step.kind](image, step.value)


def _upright(image: Loaded, _: Any) -> Loaded:
    return ImageOps.exif_transpose(as_pil(image))


def _center_crop(image: Loaded, crop: Any) -> Loaded:
    height, width = crop.height_width
    array = np.atleast_3d(np.asarray(image))
    if crop.smaller != "error":
        array = _at_least(array, height, width, more_first=crop.smaller == "pad_more_first")
    if crop.rounding == "even":
        cropped = functional.center_crop(torch.from_numpy(array.copy()).permute(2, 0, 1), [height, width])
        return cropped.permute(1, 2, 0).numpy()
    if crop.rounding == "halves":  # MONAI's: about the middle pixel
        top, left = array.shape[0] // 2 - height // 2, array.shape[1] // 2 - width // 2
    else:
        top, left = (array.shape[0] - height) // 2, (array.shape[1] - width) // 2
    return array[top : top + height, left : left + width]


def _at_least(array: NDArray[Any], height: int, width: int, *, more_first: bool) -> NDArray[Any]:
    """On a black canvas of this size, where it is smaller."""
    halve = math.ceil if more_first else math.floor
    top, left = (halve(max(0, most - least) / 2) for most, least in zip((height, width), array.shape, strict=False))
    canvas = np.zeros((max(height, array.shape[0]), max(width, array.shape[1]), array.shape[2]), array.dtype)
    canvas[top : top + array.shape[0], left : left + array.shape[1]] = array
    return canvas


def _crop(image: Loaded, crop: Any) -> Loaded:
    array = np.asarray(image)
    if crop.box is not None:
        left, top, right, bottom = crop.box
        return array[top:bottom, left:right]
    height, width = (max(1, int(length * crop.fraction)) for length in array.shape[:2])
    top, left = (array.shape[0] - height) // 2, (array.shape[1] - width) // 2
    return array[top : top + height, left : left + width]


def _pad(image: Loaded, pad: Any) -> Loaded:
    """By torch's own padding, a channel at a time."""
    array = np.atleast_3d(np.asarray(image))
    height, width = array.shape[:2]
    if pad.amounts is not None:
        left, top, right, bottom = pad.amounts
    else:
        least = _least(pad, height, width)
        top, bottom = _around(least[0] - height, pad.position, "top", "bottom")
        left, right = _around(least[1] - width, pad.position, "left", "right")
    if pad.mode == "symmetric":
        return np.pad(array, ((top, bottom), (left, right), (0, 0)), mode="symmetric")
    fills = np.broadcast_to(np.asarray(pad.fill, np.float64), array.shape[2:])
    planes = [torch.from_numpy(array[..., index].astype(np.float64))[None, None] for index in range(array.shape[2])]
    mode = pad.mode
    extra = {"value": 0.0} if mode == "constant" else {}
    made = []
    for plane, fill in zip(planes, fills, strict=True):
        extra = {"value": float(fill)} if mode == "constant" else {}
        made.append(torch.nn.functional.pad(plane, (left, right, top, bottom), mode=mode, **extra)[0, 0].numpy())
    padded = np.stack(made, axis=-1)
    return (np.rint(padded) if array.dtype.kind == "u" else padded).astype(array.dtype)


def _least(pad: Any, height: int, width: int) -> tuple[int, int]:
    """(height, width) after it."""
    if pad.square:
        return max(height, width), max(height, width)
    given = pad.size or pad.multiple
    high, wide = given if isinstance(given, tuple) else (given, given)
    if pad.size is not None:
        return max(high, height), max(wide, width)
    return -(-height // high) * high, -(-width // wide) * wide


def _around(missing: int, position: str, before: str, after: str) -> tuple[int, int]:
    if position == "center":
        return int(missing / 2), missing - int(missing / 2)
    words = position.split("_")
    assert before in words or after in words  # noqa: S101 - a literal of the manifest
    return (0, missing) if before in words else (missing, 0)


def _letterbox(image: Loaded, box: Any) -> Loaded:
    """As Ultralytics' own: the ratio that fits, then a border."""
    height, width = box.height_width
    before = size_of(image)[::-1]
    ratio = min(height / before[0], width / before[1])
    ratio = ratio if box.enlarge else min(ratio, 1.0)
    turn = ROUND[box.rounding]
    inner = [min(most, max(1, turn(length * ratio))) for length, most in zip(before, (height, width), strict=True)]
    if tuple(inner) != before:
        is_smaller = inner[0] < before[0] or inner[1] < before[1]
        how = box.shrinking if box.shrinking and is_smaller else box.interpolation
        image = LIBRARIES[box.library](image, inner, how, box.antialias)
    array = np.atleast_3d(np.asarray(image))
    made = np.empty((height, width, array.shape[2]), array.dtype)
    made[:] = np.asarray(box.fill)
    top, _ = _around(height - array.shape[0], box.position, "top", "bottom")
    left, _ = _around(width - array.shape[1], box.position, "left", "right")
    made[top : top + array.shape[0], left : left + array.shape[1]] = array
    return made


def _grayscale(image: Loaded, step: Any) -> Loaded:
    if step.library == "opencv":
        cv2 = opencv()
        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[..., None]
    else:
        given: Any = as_pil(image) if step.library == "pil" else functional.to_image(np.array(image))
        made = functional.rgb_to_grayscale(given, num_output_channels=1)
        grey = np.asarray(made)[..., None] if step.library == "pil" else np.asarray(made.permute(1, 2, 0))
    return np.concatenate([grey] * step.channels, axis=-1)


def _channels(image: Loaded, step: Any) -> Loaded:
    return np.take(np.atleast_3d(np.asarray(image)), step.order, axis=-1)


def _scale(image: Loaded, step: Any) -> Loaded:
    tensor = torch.from_numpy(np.ascontiguousarray(image).copy()).to(torch.float32)
    return tensor.mul(1.0 / step.by).numpy()


def _stretch(image: Loaded, step: Any) -> Loaded:
    """As MONAI and albumentations write it, a channel at a time or over all."""
    values = np.atleast_3d(np.asarray(image)).astype(np.float32)
    planes = [values[..., index] for index in range(values.shape[2])] if step.per_channel else [values]
    made = []
    for plane in planes:
        if step.kind == "standard":
            exact = torch.from_numpy(plane.astype(np.float64))
            low, width = np.float32(exact.mean()), np.float32(exact.std(unbiased=False))
        else:
            ends = (0, 100) if step.kind == "min_max" else (step.low, step.high)
            low, high = (np.float32(np.percentile(plane, end)) for end in ends)
            width = high - low
        width = np.float32(width + np.float32(step.epsilon)) or np.float32(1)
        done = (plane - low) / width
        done = np.clip(done, 0, 1) if step.clip else done
        made.append(done if step.limit is None else np.minimum(np.maximum(done, -step.limit), step.limit))
    return np.stack(made, axis=-1) if step.per_channel else made[0]


def _normalize(image: Loaded, step: Any) -> Loaded:
    tensor = torch.from_numpy(np.atleast_3d(np.asarray(image)).astype(np.float32)).permute(2, 0, 1)
    return functional.normalize(tensor, list(step.mean), list(step.std)).permute(1, 2, 0).numpy()


REFERENCE: dict[str, Callable[[Loaded, Any], Loaded]] = {
    "exif_transpose": _upright,
    "read": lambda image, _: image,  # done where the file is opened
    "resize": resized,
    "center_crop": _center_crop,
    "crop": _crop,
    "pad": _pad,
    "letterbox": _letterbox,
    "grayscale": _grayscale,
    "channels": _channels,
    "scale": _scale,
    "stretch": _stretch,
    "normalize": _normalize,
}
"""By the step's name in the manifest."""
