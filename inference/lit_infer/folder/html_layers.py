"""Pictures and heat maps in the HTML report: small copies that lie over the thumbnails, as far as a slider says."""

import base64
import io
from typing import Any

from PIL import Image

from lit_infer.folder import html_masks
from lit_infer.tasks import TASKS

SPLIT = (
    '<fieldset aria-label="Before and after"><label>before '
    '<input name="split" type="range" min="0" max="100" value="50" aria-label="from where on the picture is shown"> '
    "after</label></fieldset>"
)
HEAT = (
    '<fieldset aria-label="Heat"><label>heat '
    '<input name="over" type="range" min="0" max="100" value="60" aria-label="how opaque"></label></fieldset>'
)


def small(kind: str, answer: Any, size: tuple[int, int]) -> str | None:
    """A data URL of what lies over a thumbnail of this (width, height); None for a kind, or an answer, without."""
    if kind in ("mask", "instances"):
        return html_masks.small(answer.mask, size)
    drawn = _DRAWN.get(kind)
    image = None if drawn is None else drawn(answer)
    if image is None:
        return None
    file = io.BytesIO()
    image.resize(size, Image.Resampling.BILINEAR).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


_DRAWN = {task.kind: task.drawn for task in TASKS.values() if task.drawn is not None}
