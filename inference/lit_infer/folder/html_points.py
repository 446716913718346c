"""Points in the HTML report: drawn over the thumbnails, joined as the model's facts say."""

from collections.abc import Sequence
from html import escape

from lit_infer.folder.html_boxes import colour
from lit_infer.folder.html_masks import mask_index
from lit_infer.tasks import Row

CONTROLS = (
    '<fieldset aria-label="Points"><label>points from '
    '<input name="sure" type="range" min="0" max="100" value="0" aria-label="least score"></label></fieldset>'
)


def drawn(row: Row, edges: Sequence[tuple[int, int]]) -> str:
    """An SVG of an image's points, in pixels of the image, as large as the picture below it."""
    longest = max(row["width"], row["height"])
    points = {one["index"]: one for one in row["points"]}
    lines = "".join(_line(points[a], points[b]) for a, b in edges if a in points and b in points)
    circles = "".join(_point(one, longest) for one in row["points"])
    return f'<svg viewBox="0 0 {row["width"]} {row["height"]}" aria-hidden="true">{lines}{circles}</svg>'


def _line(one: Row, other: Row) -> str:
    ends = f"{mask_index(one['index'])} {mask_index(other['index'])}"
    places = f'x1="{one["x"]:.2f}" y1="{one["y"]:.2f}" x2="{other["x"]:.2f}" y2="{other["y"]:.2f}"'
    return f'<line data-ends="{ends}" {places}/>'


def _point(one: Row, longest: int) -> str:
    score = 1.0 if one["score"] is None else one["score"]
    rgb = ",".join(map(str, colour(one["index"])))
    name = escape(one["label"] if one["score"] is None else f"{one['label']} {score:.0%}")
    ring = ' class="outside"' if one["outside"] else ""
    return (
        f'<g data-index="{mask_index(one["index"])}" data-score="{score:.4f}" fill="rgb({rgb})"{ring}>'
        f'<circle cx="{one["x"]:.2f}" cy="{one["y"]:.2f}" r="{longest / 60:.2f}"><title>{name}</title></circle></g>'
    )
