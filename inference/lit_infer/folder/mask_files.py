"""A mask of each image as a PNG: `predictions-masks/a/cat.jpg.png`, beside the rows that name it."""

from pathlib import Path

from lit_infer.folder.partial import Entry
from lit_infer.folder.picture_folder import PictureFolder
from lit_infer.images import masks


def folder_beside(output: Path) -> Path:
    """Where the masks of rows go, if nothing else is said."""
    return output.with_name(f"{output.stem}-masks")


class MaskFiles(PictureFolder):
    """Writes the masks of a run, and names each in its row."""

    what = "masks"

    def add(self, entry: Entry) -> None:
        """Write an image's mask, and its path into the row."""
        if entry.prediction.mask is None:
            return
        name = self.written_as(entry.row["path"], masks.png(entry.prediction.mask), ".png")
        entry.row["mask"] = (self.folder / name).as_posix()
