"""Boxes in the HTML report: drawn over the thumbnails, in the colours of their classes, which masks below have."""

import colorsys
from html import escape

from lit_infer.folder.html_masks import mask_index
from lit_infer.tasks import Row

_GOLDEN = 0.618034
CONTROLS = (
    '<fieldset aria-label="Boxes"><label>boxes from '
    '<input name="sure" type="range" min="0" max="100" value="0" aria-label="least score"></label></fieldset>'
)


def colour(index: int) -> list[int]:
    """Of a class: bright, and as far as can be from that of its neighbours."""
    return [round(255 * part) for part in colorsys.hls_to_rgb(index * _GOLDEN % 1, 0.55, 0.9)]


def drawn(row: Row) -> str:
    """An SVG of an image's boxes, in pixels of the image, as large as the picture below it."""
    longest = max(row["width"], row["height"])
    boxes = "".join(_box(one, longest, number) for number, one in enumerate(row["boxes"], 1))
    return f'<svg viewBox="0 0 {row["width"]} {row["height"]}" aria-hidden="true">{boxes}</svg>'


def _box(one: Row, longest: int, number: int) -> str:
    left, top, right, bottom = one["box"]
    rgb = ",".join(map(str, colour(one["index"])))
    name = escape(f"{one['label']} {one['score']:.0%}")
    size = longest / 16
    return (
        f'<g data-number="{number}" data-index="{mask_index(one["index"])}" data-score="{one["score"]:.4f}" '
        f'stroke="rgb({rgb})">'
        f'<rect x="{left:.2f}" y="{top:.2f}" width="{right - left:.2f}" height="{bottom - top:.2f}"/>'
        f'<text x="{left:.2f}" y="{max(top, size):.2f}" font-size="{size:.2f}">{name}</text></g>'
    )
