"""A file for each image, such as its mask: `predictions-masks/a/cat.jpg.png`, beside the rows that name it."""

from pathlib import Path

from lit_infer.folder.file_folder import FileFolder
from lit_infer.folder.partial import Entry
from lit_infer.tasks import AnswerFile


def folder_beside(output: Path, option: str) -> Path:
    """Where the files of rows go, if nothing else is said. `option`: what they are called, such as `masks`."""
    return output.with_name(f"{output.stem}-{option}")


class AnswerFiles(FileFolder):
    """Writes a file for each image of a run, and its name into the row."""

    def __init__(self, folder: Path, kind: AnswerFile, *, root: str, resume: bool) -> None:
        self.what = kind.option
        super().__init__(folder, root=root, resume=resume)
        self._kind = kind

    def add(self, entry: Entry) -> None:
        """Write an image's file, and its path into the row."""
        if entry.prediction.answer is None or (made := self._kind.encode(entry.prediction.answer)) is None:
            return
        suffix, data = made
        name = self.written_as(entry.row["path"], data, suffix)
        entry.row[self._kind.column] = (self.folder / name).as_posix()
