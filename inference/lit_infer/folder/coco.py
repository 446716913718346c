"""Boxes and masks in COCO's JSON: the truths of a data set, and what was found, as others' tools read it."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer import files
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder.coco_masks import mask_of
from lit_infer.images.rle import Rle
from lit_infer.tasks import Row

Annotate = Callable[[Row], dict[str, Any]]
"""What an annotation has beside its ids."""
NAMES = ("annotations.json", "_annotations.coco.json", "instances.json")


@dataclass(frozen=True)
class BoxTruth:
    """What is in an image."""

    path: Path
    boxes: NDArray[np.float32]
    """[n, 4]: left, top, right, bottom in pixels."""
    labels: NDArray[np.int64]
    """[n]: indices of classes."""
    masks: tuple[Rle, ...] = ()
    """[n], if they were asked for."""


def find(folder: Path) -> Path:
    """The file of a data set: in its folder, of a usual name. Raises NotFoundError."""
    for path in (folder / name for name in NAMES):
        if path.is_file():
            return path
    raise NotFoundError(f"expected {' or '.join(NAMES)} (COCO's JSON) in {folder}, beside the images that it names")


def read(
    path: Path, *, labels: Sequence[str] | None, with_masks: bool = False
) -> tuple[tuple[str, ...], list[BoxTruth]]:
    """The classes' names and the images with their boxes. Crowds (`iscrowd`) are left out.

    `labels`: the model's, by which classes are numbered; None: in the order of their ids. Images are looked for beside
    the file, and in `images/` there. Raises UsageError for what is not as COCO has it.
    """
    try:
        found: Any = json.loads(path.read_bytes())
        ordered = sorted(found["categories"], key=lambda one: one["id"])
        names = tuple(str(one["name"]) for one in ordered) if labels is None else tuple(labels)
        index = {one["id"]: _index(str(one["name"]), names, path) for one in ordered}
        marks: dict[Any, list[dict[str, Any]]] = {one["id"]: [] for one in found["images"]}
        for one in found["annotations"]:
            if not one.get("iscrowd"):
                marks[one["image_id"]].append(one)
        return names, [_truth(path, one, marks[one["id"]], index, with_masks) for one in found["images"]]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, UsageError | NotFoundError):
            raise
        what = "masks" if with_masks else "boxes"
        raise UsageError(f"{path} is not COCO's JSON of {what}: {type(error).__name__}: {error}") from None


def _index(name: str, names: Sequence[str], path: Path) -> int:
    if name not in names:
        raise UsageError(f"{path}: {name} is not a class of the model, which has {', '.join(names[:8])}")
    return names.index(name)


def _corners(box: Sequence[float]) -> list[float]:
    left, top, width, height = map(float, box)
    return [left, top, left + width, top + height]


def image_of(path: Path, name: str) -> Path:
    """The image that a COCO file names: beside the file, or in `images/` there. Raises NotFoundError."""
    image = next((one for one in (path.parent / name, path.parent / "images" / name) if one.is_file()), None)
    if image is None:
        raise NotFoundError(f"{path} names {name}, which is neither beside it nor in images/ there")
    return image


def _truth(
    path: Path, image: Mapping[str, Any], marks: Sequence[Mapping[str, Any]], index: Mapping[Any, int], with_masks: bool
) -> BoxTruth:
    return BoxTruth(
        image_of(path, str(image["file_name"])),
        np.array([_corners(one["bbox"]) for one in marks], np.float32).reshape(-1, 4),
        np.array([index[one["category_id"]] for one in marks], np.int64),
        tuple(mask_of(one["segmentation"], (image["height"], image["width"])) for one in marks) if with_masks else (),
    )


def write(rows: Iterable[Row], output: Path, *, labels: Sequence[str] | None) -> None:
    """What was found, as a data set of COCO's with a `score` for each box; it appears when it is whole."""
    write_column("boxes", _annotation, rows, output, labels=labels)


def write_column(
    column: str, annotation: Annotate, rows: Iterable[Row], output: Path, *, labels: Sequence[str] | None
) -> None:
    """A data set of COCO's with an annotation for each entry of a column of the rows that could be read.

    Ids of images count these rows from 1, those of categories are the classes' indices plus 1.
    """
    images: list[Row] = []
    annotations: list[Row] = []
    names = dict(enumerate(labels or ()))
    for row in rows:
        if row["error"] is not None:
            continue
        images.append({"id": len(images) + 1, "file_name": row["path"], "width": row["width"], "height": row["height"]})
        for one in row[column]:
            names.setdefault(one["index"], one["label"])
            own = {"id": len(annotations) + 1, "image_id": len(images), "category_id": one["index"] + 1}
            annotations.append({**own, **annotation(one)})
    categories = [{"id": index + 1, "name": name} for index, name in sorted(names.items())]
    with files.atomic_text(output) as file:
        json.dump({"images": images, "categories": categories, "annotations": annotations}, file, ensure_ascii=False)


def _annotation(one: Row) -> dict[str, Any]:
    left, top, right, bottom = one["box"]
    width, height = right - left, bottom - top
    return {
        "bbox": [left, top, width, height],
        "area": one.get("area", width * height),
        **({"segmentation": one["segmentation"]} if "segmentation" in one else {}),
        "iscrowd": 0,
        "score": one["score"],
    }
