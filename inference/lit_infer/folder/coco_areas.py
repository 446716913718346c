"""The pixels of each class in an image as COCO's JSON, as others' tools read it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lit_infer.folder import coco
from lit_infer.images import rle
from lit_infer.images.rle import Rle
from lit_infer.tasks import Row


def write(rows: Iterable[Row], output: Path, *, labels: Sequence[str] | None) -> None:
    """A data set of COCO's with an annotation for each class of each image; it appears when it is whole.

    Pixels that the model did not see belong to no annotation. There are no scores: a class has none of its own.
    """
    coco.write_column("areas", _annotation, rows, output, labels=labels)


def _annotation(one: Row) -> dict[str, Any]:
    runs = one["segmentation"]
    box = rle.box(Rle(tuple(runs["size"]), runs["counts"]))
    return {"bbox": list(box), "area": one["pixels"], "segmentation": runs, "iscrowd": 0}
