"""True boxes, and masks, of images: COCO's JSON, or YOLO's text files."""

from collections.abc import Sequence
from pathlib import Path

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import coco, yolo
from lit_infer.folder.coco import BoxTruth
from lit_infer.folder.yolo import YoloSplit


def read(
    source: Path, *, labels: Sequence[str] | None, with_masks: bool = False, split: YoloSplit = "val"
) -> tuple[tuple[str, ...], list[BoxTruth]]:
    """The classes' names and the images behind a folder, or a COCO file, with what is in them.

    `labels`: the model's, by which classes are numbered. `split`: the one that is meant where YOLO's `data.yaml` names
    several. Raises NotFoundError and UsageError.
    """
    if source.is_file():
        return coco.read(source, labels=labels, with_masks=with_masks)
    is_yolo = yolo.is_there(source)
    try:
        file = coco.find(source)
    except NotFoundError as error:
        if is_yolo:
            return yolo.read(source, labels=labels, with_masks=with_masks, split=split)
        raise NotFoundError(f"{error}; or images/ and labels/ with {yolo.TABLES[0]} (YOLO's)") from None
    if is_yolo:
        raise UsageError(f"{source} has {file.name} and what YOLO's data sets have: keep one of them, or name the file")
    return coco.read(file, labels=labels, with_masks=with_masks)
