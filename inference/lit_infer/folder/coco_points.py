"""What was found as COCO's JSON of keypoints, as others' tools read it."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lit_infer import files
from lit_infer.tasks import Reading, Row

_SEEN, _HIDDEN = 2, 1
_HALF = 0.5


def write(rows: Iterable[Row], output: Path, reading: Reading) -> None:
    """A data set of COCO's with an annotation for each image; it appears when it is whole.

    A point that was not reported is 0, 0, 0. `bbox` is around the others, and `score` the mean of theirs, or 1 for a
    model that gives none. Ids of images count the rows that could be read from 1.
    """
    names = reading.labels or tuple(f"point {index}" for index in range(reading.size or 0))
    images: list[Row] = []
    annotations: list[Row] = []
    for row in rows:
        if row["error"] is None:
            number = len(images) + 1
            images.append({"id": number, "file_name": row["path"], "width": row["width"], "height": row["height"]})
            annotations.append(_annotation(row["points"], number, len(names)))
    joined = [[one + 1, other + 1] for one, other in reading.facts.edges(reading.labels)]
    category = {"id": 1, "name": "object", "keypoints": list(names), "skeleton": joined}
    with files.atomic_text(output) as file:
        json.dump({"images": images, "categories": [category], "annotations": annotations}, file, ensure_ascii=False)


def _annotation(points: Sequence[Row], number: int, count: int) -> dict[str, Any]:
    triples: list[list[float]] = [[0, 0, 0]] * count
    for one in points:
        hidden = one["visibility"] is not None and one["visibility"] < _HALF
        triples[one["index"]] = [one["x"], one["y"], _HIDDEN if hidden else _SEEN]
    across, down = ([one[name] for one in points] or [0.0] for name in ("x", "y"))
    box = [min(across), min(down), max(across) - min(across), max(down) - min(down)]
    scores = [one["score"] for one in points if one["score"] is not None]
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "keypoints": [value for triple in triples for value in triple],
        "num_keypoints": len(points),
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
        "score": sum(scores) / len(scores) if scores else 1.0,
    }
