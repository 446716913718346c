"""What lies over the thumbnails of the HTML report, pictures and heat as far as a slider says, and beside them."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

from PIL import Image

from lit_infer.folder import html_masks
from lit_infer.tasks import TASKS, Kind, Row

SPLIT = (
    '<fieldset aria-label="Before and after"><label>before '
    '<input name="split" type="range" min="0" max="100" value="50" aria-label="from where on the picture is shown"> '
    "after</label></fieldset>"
)
HEAT = (
    '<fieldset aria-label="Heat"><label>heat '
    '<input name="over" type="range" min="0" max="100" value="60" aria-label="how opaque"></label></fieldset>'
)


def small(kind: Kind, answer: Any, size: tuple[int, int]) -> str | None:
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


def over(source: str, layer: str) -> str:
    """What lies over a picture, of this class of the style; without one it is a mask of classes."""
    if source and layer:
        return f'<img loading="lazy" alt="" class="{layer}" src="{escape(source)}">'
    return f'<canvas data-mask="{escape(source)}"></canvas>' if source else ""


def beside(near: Sequence[Row], sources: Sequence[str]) -> str:
    """The most similar images, the best first; what they are is in their titles."""
    if not near:
        return ""
    images = (
        f'<img loading="lazy" alt="" title="{escape(one["path"])} {one["similarity"]:.3f}" src="{escape(source)}">'
        for one, source in zip(near, sources, strict=True)
        if source
    )
    return f'<div class="beside">{"".join(images)}</div>'


_DRAWN = {task.kind: task.drawn for task in TASKS.values() if task.drawn is not None}
