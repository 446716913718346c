"""Ultralytics' letterbox: OpenCV's resize, and a border."""

from typing import Any

from lit_infer.images.from_transform.albumentations import interpolation
from lit_infer.images.from_transform.facts import PartReader, TransformFacts
from lit_infer.images.resizing import Letterbox


def _letterbox(before: TransformFacts, part: Any) -> TransformFacts:
    if part.auto or part.scale_fill:
        raise ValueError("LetterBox(auto=True) or with scale_fill cannot be expressed: every image has one size")
    high, wide = part.new_shape
    step = Letterbox(
        size=(int(high), int(wide)),
        position="center" if part.center else "top_left",
        fill=float(getattr(part, "padding_value", 114)),
        enlarge=part.scaleup,
        interpolation=interpolation(part, getattr(part, "interpolation", 1)),
        antialias=False,
        library="opencv",
    )
    return before.then(step, form="array")


PARTS: dict[str, PartReader] = {"ultralytics.LetterBox": PartReader(_letterbox, ("letterbox",))}
