"""Masks in the HTML report: small ones over the thumbnails, and the classes to switch on and off."""

import base64
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer.images import masks

CONTROLS = (
    '<fieldset aria-label="Masks"><label>masks '
    '<input name="over" type="range" min="0" max="100" value="60" aria-label="how opaque"></label></fieldset>'
)


def small(mask: NDArray[Any], size: tuple[int, int]) -> str:
    """A data URL: a grey PNG of the thumbnail's (width, height) with each pixel's class, or its instance's number."""
    outside = masks.outside_of(mask)
    height, width = mask.shape
    rows, columns = (
        (np.arange(count) * length + length // 2) // count for count, length in ((size[1], height), (size[0], width))
    )
    there = mask[rows][:, columns]
    shown = np.where(there == outside, masks.OUTSIDE["uint8"], there % masks.OUTSIDE["uint8"]).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def mask_index(index: int) -> int:
    """Which value of a small mask, and colour, a class has."""
    return index % masks.OUTSIDE["uint8"]


def colour(index: int) -> list[int]:
    """Of a class, as the palette of its PNG has it."""
    found: list[int] = masks.colours()[mask_index(index)].tolist()
    return found


def legend(classes: Mapping[int, str], colour_of: Callable[[int], list[int]] = colour) -> str:
    """The classes of a run as JSON, in the order of their indices: label, colour, whether it is shown at first."""
    return json.dumps(
        [
            {
                "index": mask_index(index),
                "label": label,
                "colour": colour_of(index),
                "shown": not masks.is_background(label),
            }
            for index, label in sorted(classes.items())
        ],
        ensure_ascii=False,
    )
