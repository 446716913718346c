"""True points of images: a table beside them, or COCO's JSON of keypoints.

The table is `metadata.csv` or `metadata.jsonl` with the column `file_name` and two for each point, `nose_x` and
`nose_y`, in pixels; an empty cell is a point that nobody marked.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import coco, metadata

_X, _Y = "_x", "_y"


@dataclass(frozen=True)
class PointTruth:
    """Where the points of an image are."""

    path: Path
    points: NDArray[np.float32]
    """[k, 2]: x and y in pixels; NaN where nobody marked it."""
    scale: float
    """The longer side of the box around what they show; NaN if there is none."""


@dataclass(frozen=True)
class TrueFolder:
    """A data set of points."""

    names: tuple[str, ...]
    truths: list[PointTruth]
    skeleton: tuple[tuple[int, int], ...] = ()
    """Indices of points that are joined, where the data set says so."""


def read(source: Path, *, labels: Sequence[str] | None) -> TrueFolder:
    """The points behind a folder or a COCO file, in the order of `labels`; without them in the order that they have
    there. Raises NotFoundError and UsageError.
    """
    if source.is_file():
        return _of_coco(source, labels)
    tables = [path for name in metadata.TABLES if (path := source / name).is_file()]
    if tables:
        return _of_table(metadata.table_of(source), labels)
    try:
        return _of_coco(coco.find(source), labels)
    except NotFoundError as error:
        if any((source / name).is_file() for name in coco.NAMES):
            raise
        raise NotFoundError(f"{error}; or {metadata.TABLES[0]} with the columns file_name, NAME_x, NAME_y, …") from None


def _of_table(table: Path, labels: Sequence[str] | None) -> TrueFolder:
    rows = list(metadata.rows_of(table))
    columns = set(metadata.columns(table, rows))
    given = [one.removesuffix(_X) for one in rows[0] if one.endswith(_X) and one.removesuffix(_X) + _Y in columns]
    names = tuple(given if labels is None else labels)
    if not names:
        raise UsageError(f"{table} has no columns NAME_x and NAME_y of a point; it has {', '.join(sorted(columns))}")
    for name in names:
        if name not in given:
            raise UsageError(f"{table} has no columns {name}_x and {name}_y; it has points {', '.join(given[:8])}")
    truths = []
    for number, row in enumerate(rows, start=1):
        cells = [[_cell(row, name + end, table, number) for end in (_X, _Y)] for name in names]
        path = table.parent / str(row.get(metadata.FILE_NAME, ""))
        if not path.is_file():
            raise NotFoundError(f"{table}, row {number}: there is no file {path}")
        truths.append(PointTruth(path, np.array(cells, np.float32), math.nan))
    return TrueFolder(names, truths)


def _cell(row: dict[str, Any], name: str, table: Path, number: int) -> float:
    value = row.get(name)
    return math.nan if value is None or value == "" else metadata.number_of(value, name, table, number)


def _of_coco(path: Path, labels: Sequence[str] | None) -> TrueFolder:
    try:
        found: Any = json.loads(path.read_bytes())
        category = _category(path, found["categories"])
        own = [str(name) for name in category["keypoints"]]
        names = tuple(own if labels is None else labels)
        order = [_place(own, name, path) for name in names]
        edges = tuple((own[one - 1], own[other - 1]) for one, other in category.get("skeleton") or ())
        by_image: dict[Any, list[Any]] = {}
        for one in found["annotations"]:
            if one["category_id"] == category["id"] and any(one["keypoints"][2::3]):
                by_image.setdefault(one["image_id"], []).append(one)
        truths = [
            _truth(path, str(image["file_name"]), by_image[image["id"]], len(own), order)
            for image in found["images"]
            if image["id"] in by_image
        ]
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        if isinstance(error, UsageError | NotFoundError):
            raise
        raise UsageError(f"{path} is not COCO's JSON of keypoints: {type(error).__name__}: {error}") from None
    if not truths:
        raise UsageError(f"{path} has no image with keypoints that are marked")
    known = tuple((names.index(a), names.index(b)) for a, b in edges if a in names and b in names)
    return TrueFolder(names, truths, known)


def _category(path: Path, categories: Sequence[Any]) -> Any:
    fits = [one for one in categories if one.get("keypoints")]
    if len(fits) != 1:
        found = ", ".join(str(one["name"]) for one in fits) or "none"
        raise UsageError(f"{path}: exactly one category must have keypoints; found: {found}")
    return fits[0]


def _place(own: Sequence[str], name: str, path: Path) -> int:
    if name not in own:
        raise UsageError(f"{path}: its points have no {name}; they are {', '.join(own[:8])}")
    return own.index(name)


def _truth(path: Path, name: str, things: Sequence[Any], count: int, order: Sequence[int]) -> PointTruth:
    if len(things) != 1:
        raise UsageError(
            f"{path}: {name} shows {len(things)} things with points, and this task has the points of one in an image: "
            "cut each out into an image of its own"
        )
    rows = np.array(things[0]["keypoints"], np.float32).reshape(count, 3)
    points = np.where(rows[:, 2:] > 0, rows[:, :2], np.float32(np.nan))
    box = things[0].get("bbox")
    return PointTruth(coco.image_of(path, name), points[list(order)], float(max(box[2:4])) if box else math.nan)
