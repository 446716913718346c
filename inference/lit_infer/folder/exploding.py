"""`--explode`: a row for each thing that was found in an image, in place of a row with a list of them."""

from collections.abc import Iterable, Iterator
from typing import Any

from lit_infer.folder.table import Columns
from lit_infer.tasks import Row
from lit_infer.tasks.spec import Column

_THING: dict[str, Column] = {"label": "text", "index": "integer", "score": "number"}
_BOX: dict[str, Column] = {**_THING, "left": "number", "top": "number", "right": "number", "bottom": "number"}
_PARTS: dict[str, dict[str, Column]] = {
    "boxes": _BOX,
    "instances": {**_BOX, "area": "integer", "segmentation": "text"},
    "points": {
        "label": "text",
        "index": "integer",
        "x": "number",
        "y": "number",
        "score": "number",
        "visibility": "number",
        "outside": "boolean",
    },
}
"""By the type of a list: the columns of one thing."""


def listed(columns: Columns) -> str | None:
    """The column whose things can have rows of their own; None where there is none."""
    return next((name for name, kind in columns.items() if kind in _PARTS), None)


def columns_of(columns: Columns) -> Columns:
    """The columns of exploded rows, those of a thing in the place of their list."""
    found: Columns = {}
    for name, kind in columns.items():
        found |= _PARTS.get(kind, {name: kind})
    return found


def exploded(rows: Iterable[Row], columns: Columns) -> Iterator[Row]:
    """A row for each thing, in the order of the list; an image without any has none, one with an error keeps its row.

    A mask is its compressed runs, as text.
    """
    name = listed(columns)
    if name is None:
        yield from rows
        return
    parts = _PARTS[columns[name]]
    for row in rows:
        things = row[name] if row["error"] is None else [{}]
        for thing in things:
            values = {part: _value(thing, part) for part in parts}
            exploded_row: Row = {}
            for column, value in row.items():
                exploded_row |= values if column == name else {column: value}
            yield exploded_row


_SIDES = ("left", "top", "right", "bottom")


def _value(thing: Row, part: str) -> Any:
    if part in _SIDES and thing:
        return thing["box"][_SIDES.index(part)]
    if part == "segmentation" and thing:
        return thing[part]["counts"]
    return thing.get(part)
