"""The pixels of each class in an image as COCO's JSON, as others' tools read it."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lit_infer import files
from lit_infer.images import rle
from lit_infer.images.rle import Rle
from lit_infer.tasks import Row


def write(rows: Iterable[Row], output: Path, *, labels: Sequence[str] | None) -> None:
    """A data set of COCO's with an annotation for each class of each image; it appears when it is whole.

    Ids of images count the rows that could be read from 1, those of categories are the classes' indices plus 1. Pixels
    that the model did not see belong to no annotation. There are no scores: a class has none of its own.
    """
    images: list[Row] = []
    annotations: list[Row] = []
    names = dict(enumerate(labels or ()))
    for row in rows:
        if row["error"] is not None:
            continue
        images.append({"id": len(images) + 1, "file_name": row["path"], "width": row["width"], "height": row["height"]})
        for one in row["areas"]:
            names.setdefault(one["index"], one["label"])
            annotations.append(_annotation(one, number=len(annotations) + 1, image=len(images)))
    categories = [{"id": index + 1, "name": name} for index, name in sorted(names.items())]
    with files.atomic_text(output) as file:
        json.dump({"images": images, "categories": categories, "annotations": annotations}, file, ensure_ascii=False)


def _annotation(one: Row, *, number: int, image: int) -> dict[str, Any]:
    runs = one["segmentation"]
    return {
        "id": number,
        "image_id": image,
        "category_id": one["index"] + 1,
        "bbox": list(rle.box(Rle(tuple(runs["size"]), runs["counts"]))),
        "area": one["pixels"],
        "segmentation": runs,
        "iscrowd": 0,
    }
