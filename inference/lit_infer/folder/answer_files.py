"""A file for each image, such as its mask: `predictions-masks/a/cat.jpg.png`, beside the rows that name it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lit_infer.folder.file_folder import FileFolder
from lit_infer.folder.job import Job
from lit_infer.folder.partial import Entry
from lit_infer.folder.table import Table
from lit_infer.tasks import AnswerFile


def folder_beside(output: Path, option: str) -> Path:
    """Where the files of rows go, if nothing else is said. `option`: what they are called, such as `masks`."""
    return output.with_name(f"{output.stem}-{option}")


def with_files(job: Job, table: Table) -> Job:
    """The job as it is done: masks and their like go beside the rows, if they are wanted nowhere else."""
    kind = table.task.file
    if kind is None or table.task.rows_have_masks or job.folder_of(kind) is not None or job.output is None:
        return job
    beside: dict[str, Any] = {kind.option: folder_beside(job.output, kind.option)}
    return replace(job, **beside)


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
