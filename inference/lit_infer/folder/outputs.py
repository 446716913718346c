"""All outputs of a job together: checked before the work, given each result, and finished once."""

import errno
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lit_infer import images
from lit_infer.errors import LitError, UsageError
from lit_infer.folder import (
    answer_files,
    exploding,
    html_report,
    loading,
    output_checks,
    resume,
    writers,
)
from lit_infer.folder.answer_files import AnswerFiles
from lit_infer.folder.confusion import Confusion
from lit_infer.folder.drawn_files import DrawnFiles
from lit_infer.folder.file_folder import FileFolder
from lit_infer.folder.job import Job, identity
from lit_infer.folder.output_checks import COCO
from lit_infer.folder.partial import Entry, Partial, PartialFile
from lit_infer.folder.sorting import Sorter
from lit_infer.folder.sources import Inputs, Item
from lit_infer.folder.table import Table
from lit_infer.folder.vectors import Vectors, width
from lit_infer.predictor import Predictor
from lit_infer.tasks import Row

Notes = tuple[str, ...]
"""Names in `images.notes.NOTES`."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class RunOutputs:
    """The outputs of a run, including those that an earlier, interrupted run has written."""

    def __init__(self, job: Job, inputs: Inputs, predictor: Predictor, table: Table, folder: Path | None) -> None:
        self._job = job
        self._table = table
        self._batch_size = job.batch_size or predictor.batch_size
        self._finished = False
        self._confusion = Confusion(table)
        self._sorter = None
        if job.sort_into is not None:
            by = table.task.sorts_by or ""  # _check_task refused a task without one
            self._sorter = Sorter(job.sort_into, by=by, root=inputs.root(), hard_links=job.hard_links)
        self._partial = self._vectors = self._thumbnails = None
        self._folders: list[FileFolder] = []
        if folder is not None:
            parts: list[PartialFile] = []
            kind = table.task.file
            if kind is not None and (beside := job.folder_of(kind)) is not None:
                self._folders.append(AnswerFiles(beside, kind, root=inputs.root(), resume=job.resume))
            if job.draw is not None:
                turns = images.turns(predictor.manifest.preprocess)
                drawn = DrawnFiles(job.draw, table, root=inputs.root(), resume=job.resume, turns=turns)
                self._folders.append(drawn)
            parts += self._folders
            if job.embeddings is not None:
                self._vectors = Vectors(folder, width(predictor.manifest))
                parts.append(self._vectors)
            if job.report is not None:
                self._thumbnails = html_report.Thumbnails(
                    folder, table, most=job.thumbnails, turns=images.turns(predictor.manifest.preprocess)
                )
                parts.append(self._thumbnails)
            self._partial = Partial(folder, parts)

    def resumed(self, items: Iterator[Item]) -> Iterator[tuple[Item, Row, Notes]]:
        """The rows of the earlier run, each with its item, which is taken from `items` and compared."""
        if self._partial is None:
            return
        self._partial.keep_batches(self._batch_size)
        partial = self._partial
        for row, stamp, notes in zip(partial.rows.read(), partial.stamps.read(), partial.notes.read(), strict=True):
            item = _unchanged(row, stamp, next(items, None))
            self._compare(row, item.truth)
            yield item, row, notes

    def add(self, entry: Entry) -> None:
        """Take one result."""
        self._compare(entry.row, entry.loaded.item.truth)
        if self._sorter is not None:
            self._sorter.add(entry)
        if self._partial is not None:
            self._partial.add(entry)

    def _compare(self, row: Row, truth: str | None) -> None:
        if self._thumbnails is not None:
            self._confusion.add(row, truth)

    def close(self) -> None:
        """Flush what there is to disk; if there is nothing, or all is finished, leave nothing behind."""
        if self._partial is None:
            return
        try:
            if not self._finished:
                self._partial.commit()
            useless = self._job.output is None or self._partial.rows.file.size == 0
        finally:
            self._partial.close()
        if self._finished or useless:
            resume.remove(self._partial.folder)
            for made in self._folders:
                made.remove()

    def finish(self, *, remarks: Sequence[str] = (), before_rows: Callable[[Path], object] = lambda _: None) -> None:
        """Give every output its name, the rows last: until then the run can be resumed. `remarks` go on the page.

        `before_rows` is called with the finished file of rows when only that has yet to get its name.
        """
        job = self._job
        if self._sorter is not None:
            self._sorter.finish()
        if self._partial is None:
            return
        self._partial.commit()
        rows = self._partial.rows
        if job.report is not None and self._thumbnails is not None:
            # Not beside the final path, where a kill would leave half of it.
            page = self._partial.folder / "report.html"
            confused = self._confusion.result()
            html_report.write(rows.read, self._thumbnails, page, table=self._table, confused=confused, remarks=remarks)
            writers.publish(page, job.report)
        if job.embeddings is not None and self._vectors is not None:
            writers.publish(self._vectors.finish(), job.embeddings)
        if job.coco is not None:
            column = next(name for name in COCO if name in self._table.columns)
            COCO[column](rows.read(), job.coco, self._table.reading)
        for grown in self._folders:
            grown.finish()
        if job.output is not None:
            made = rows.file.path
            if job.explode:
                columns = self._table.columns
                made = made.with_name(f"exploded{job.output.suffix}")
                things = exploding.exploded(rows.read(), columns)
                writers.writer(job.output)(things, made, exploding.columns_of(columns))
            elif job.output.suffix != ".jsonl":
                made = made.with_suffix(job.output.suffix)
                writers.writer(job.output)(rows.read(), made, self._table.columns)
            before_rows(made)
            writers.publish(made, job.output)
        self._finished = True


@contextmanager
def opened(job: Job, inputs: Inputs, predictor: Predictor, table: Table) -> Iterator[RunOutputs]:
    """The outputs of a job. A run that ends early keeps its results beside the output."""
    output_checks.check(job, inputs)
    output_checks.check_task(job, table, name=predictor.manifest.name)
    job = answer_files.with_files(job, table)
    output_checks.check_folders(job, inputs)
    with work_folder(job, inputs, predictor) as folder:
        outputs = RunOutputs(job, inputs, predictor, table, folder)
        try:
            yield outputs
        finally:
            outputs.close()


@contextmanager
def work_folder(job: Job, inputs: Inputs, predictor: Predictor) -> Iterator[Path | None]:
    """Where a job keeps its results until it is finished, locked; None for one without outputs."""
    output_checks.check_bundle(job, predictor)
    beside = (
        job.output
        or job.embeddings
        or job.report
        or job.coco
        or _rows_beside(next(iter(job.picture_folders().values()), None))
    )
    if beside is None:
        yield None
        return
    facts = json.loads(json.dumps(identity(job, inputs, predictor)))
    work = resume.folder_for(beside)
    with _full_disk_is_reported(work), resume.locked(work, identity=facts, resume=job.resume) as folder:
        yield folder


def _rows_beside(pictures: Path | None) -> Path | None:
    """Where the rows of a run grow that only makes pictures: not where those do."""
    return None if pictures is None else pictures.with_name(f"{pictures.name}.rows")


@contextmanager
def _full_disk_is_reported(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = error.filename or folder
        raise LitError(
            f"{where}: {error.strerror}. Free some space; the same command with --resume continues from there"
        ) from None


def _unchanged(row: Row, stamp: bytes, item: Item | None) -> Item:
    if item is None or item.name != row["path"]:
        found = "there are no more images" if item is None else f"{item.name} is there instead"
        raise UsageError(f"--resume: {row['path']} was expected next, but {found}. Leave --resume out to start over")
    if loading.stamp(item) != stamp:
        raise UsageError(f"--resume: {item.name} has changed since that run. Leave --resume out to start over")
    return item
