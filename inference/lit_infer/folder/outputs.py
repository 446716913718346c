"""All outputs of a job together: checked before the work, given each result, and finished once."""

import errno
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lit_infer import images
from lit_infer.errors import LitError, NotFoundError, UsageError
from lit_infer.folder import answer_files, coco, html_report, loading, resume, writers
from lit_infer.folder.answer_files import AnswerFiles
from lit_infer.folder.job import Job, identity
from lit_infer.folder.partial import Entry, Partial, PartialFile
from lit_infer.folder.rows import array_output
from lit_infer.folder.rows.found import FoundBlock
from lit_infer.folder.rows.peeking import Peeking
from lit_infer.folder.sorting import Sorter, check_empty
from lit_infer.folder.sources import Inputs, Item
from lit_infer.folder.table import Table
from lit_infer.folder.vectors import Vectors, width
from lit_infer.predictor import Predictor
from lit_infer.tasks import Row

Notes = tuple[str, ...]
"""Names in `images.notes.NOTES`."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


_FILES = {"masks": "classes of pixels", "images": "pictures that a model makes", "maps": "maps of anomalies"}
"""Options that name a folder for a file of each image, and what they are for."""
_OF_BUNDLES = (".json", ".npz", ".npy")


def check(job: Job, inputs: Inputs) -> None:
    """Whether everything can be written, checked before any work is done. Raises UsageError, MissingExtraError."""
    named = {"--output": job.output, "--embeddings": job.embeddings, "--report": job.report, "--coco": job.coco}
    if job.output is not None and job.output.suffix in array_output.SUFFIXES:
        writers.check_writable(job.output, option="--output")
    elif job.output is not None:
        writers.check(job.output)
    for option, suffix in (("--embeddings", ".npy"), ("--report", ".html"), ("--coco", ".json")):
        if (path := named[option]) is not None:
            writers.check_writable(path, option=option)
            if path.suffix != suffix:
                raise UsageError(f"{option} {path}: the name must end in {suffix}")
    _check_inputs_stay(named, inputs)
    if job.resume and job.output is None:
        raise UsageError("--resume continues an output file, and --json writes none")
    if job.hard_links and job.sort_into is None:
        raise UsageError("--hard-links is for --sort-into DIR")
    if job.sort_into is not None:
        _check_sort_into(job.sort_into, job, inputs)


def _check_inputs_stay(named: Mapping[str, Path | None], inputs: Inputs) -> None:
    for option, path in named.items():
        if path is not None and path.exists() and any(path.samefile(one) for one in inputs.files()):
            raise UsageError(f"{option} {path} is an input of this run: name another file")


def _check_elsewhere(folder: Path, option: str, inputs: Inputs) -> None:
    for searched in inputs.folders():
        if folder.resolve().is_relative_to(searched.resolve()):
            raise UsageError(f"{option} {folder} lies in {searched}, which is searched: name a folder elsewhere")


def _check_sort_into(folder: Path, job: Job, inputs: Inputs) -> None:
    _check_elsewhere(folder, "--sort-into", inputs)
    if not (job.resume and job.output is not None and resume.folder_for(job.output).exists()):
        check_empty(folder)


class RunOutputs:
    """The outputs of a run, including those that an earlier, interrupted run has written."""

    def __init__(self, job: Job, inputs: Inputs, predictor: Predictor, table: Table, folder: Path | None) -> None:
        self._job = job
        self._table = table
        self._batch_size = job.batch_size or predictor.batch_size
        self._finished = False
        self._sorter = None
        if job.sort_into is not None:
            by = table.task.sorts_by or ""  # _check_task refused a task without one
            self._sorter = Sorter(job.sort_into, by=by, root=inputs.root(), hard_links=job.hard_links)
        self._partial = self._vectors = self._thumbnails = self._files = None
        self._arrays: list[array_output.OutputArray] = []
        if folder is not None:
            parts: list[PartialFile] = []
            kind = table.task.file
            if kind is not None and (beside := job.folder_of(kind)) is not None:
                self._files = AnswerFiles(beside, kind, root=inputs.root(), resume=job.resume)
                parts.append(self._files)
            if job.embeddings is not None:
                self._vectors = Vectors(folder, width(predictor.manifest))
                parts.append(self._vectors)
            if job.report is not None:
                self._thumbnails = html_report.Thumbnails(
                    folder, kind=table.task.kind, most=job.thumbnails, turns=images.turns(predictor.manifest.preprocess)
                )
                parts.append(self._thumbnails)
            if job.output is not None and job.output.suffix in array_output.SUFFIXES:
                tensors = predictor.manifest.outputs
                self._arrays = [array_output.OutputArray(folder, number, one) for number, one in enumerate(tensors)]
                parts += self._arrays
            self._partial = Partial(folder, parts)

    def resumed(self, items: Iterator[Item]) -> Iterator[tuple[Item, Row, Notes]]:
        """The rows of the earlier run, each with its item, which is taken from `items` and compared."""
        if self._partial is None:
            return
        self._partial.keep_batches(self._batch_size)
        partial = self._partial
        for row, stamp, notes in zip(partial.rows.read(), partial.stamps.read(), partial.notes.read(), strict=True):
            yield _unchanged(row, stamp, next(items, None)), row, notes

    def resumed_blocks(self, blocks: Peeking[FoundBlock]) -> Iterator[tuple[Item, Row, Notes]]:
        """As `resumed`, where rows are answered in blocks: those of the blocks that the earlier run has finished.

        `blocks` begins with the first block that is left to do, once all has been taken.
        """
        if self._partial is None:
            return
        partial, taken, there = self._partial, 0, self._partial.count()
        rows = zip(partial.rows.read(), partial.stamps.read(), partial.notes.read(), strict=False)
        while (block := blocks.peek()) is not None and taken + block.rows.count <= there:
            for item, (row, stamp, notes) in zip(next(blocks).items(), rows, strict=False):
                yield _unchanged(row, stamp, item), row, notes
            taken += block.rows.count
        if taken < there and block is None:
            row = next(rows)[0]
            _unchanged(row, b"", None)
        partial.keep(taken)

    def add(self, entry: Entry) -> None:
        """Take one result."""
        if self._sorter is not None:
            self._sorter.add(entry)
        if self._partial is not None:
            self._partial.add(entry)

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
            if self._files is not None:
                self._files.remove()

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
            html_report.write(rows.read, self._thumbnails, page, table=self._table, remarks=remarks)
            writers.publish(page, job.report)
        if job.embeddings is not None and self._vectors is not None:
            writers.publish(self._vectors.finish(), job.embeddings)
        if job.coco is not None:
            coco.write(rows.read(), job.coco, labels=self._table.reading.labels)
        if self._files is not None:
            self._files.finish()
        if job.output is not None:
            made = rows.file.path
            if job.output.suffix != ".jsonl":
                made = made.with_suffix(job.output.suffix)
                if self._arrays:
                    array_output.write(job.output, made, self._arrays, rows.read())
                else:
                    columns = writers.settled(rows.read, self._table.columns)
                    writers.writer(job.output)(rows.read(), made, columns)
            before_rows(made)
            writers.publish(made, job.output)
        self._finished = True


@contextmanager
def opened(job: Job, inputs: Inputs, predictor: Predictor, table: Table) -> Iterator[RunOutputs]:
    """The outputs of a job. A run that ends early keeps its results beside the output."""
    check(job, inputs)
    if job.output is not None and job.output.suffix in array_output.SUFFIXES:
        array_output.check(job.output, predictor.manifest)
    _check_task(job, table, name=predictor.manifest.name)
    _check_bundle(job, predictor)
    job = with_files(job, table)
    made_in = None if table.task.file is None else job.folder_of(table.task.file)
    if made_in is not None and table.task.file is not None:
        _check_elsewhere(made_in, f"--{table.task.file.option}", inputs)
        answer_files.check(made_in, table.task.file.option)
    beside = job.output or job.embeddings or job.report or made_in or job.coco
    if beside is None:
        yield RunOutputs(job, inputs, predictor, table, None)
        return
    facts = json.loads(json.dumps(identity(job, inputs, predictor)))
    work = resume.folder_for(beside)
    with _full_disk_is_reported(work), resume.locked(work, identity=facts, resume=job.resume) as folder:
        outputs = RunOutputs(job, inputs, predictor, table, folder)
        try:
            yield outputs
        finally:
            outputs.close()


def _check_bundle(job: Job, predictor: Predictor) -> None:
    """An output may lie in the model's folder, in place of none of its files."""
    folder = predictor.folder
    for path in (job.output, job.embeddings, job.coco):
        if path is None or folder is None or path.suffix not in _OF_BUNDLES or not path.exists():
            continue
        if path.resolve().parent == folder.resolve():
            raise UsageError(f"{path} is a file of the model: name another one")


def with_files(job: Job, table: Table) -> Job:
    """The job as it is done: masks and their like go beside the rows, if they are wanted nowhere else."""
    kind = table.task.file
    if kind is None or job.folder_of(kind) is not None or job.output is None:
        return job
    beside: dict[str, Any] = {kind.option: answer_files.folder_beside(job.output, kind.option)}
    return replace(job, **beside)


def _check_task(job: Job, table: Table, *, name: str) -> None:
    """Whether the model's answers suit what was asked for."""
    task = table.task
    _check_vectors(job, table, name=name)
    if job.threshold is not None and not task.takes_threshold:
        raise UsageError(f"--threshold is for labels, and {name} ({task.name}) gives none: leave it out")
    task.check_threshold(job.threshold, name=name)
    if job.top_k is not None and not task.takes_top_k and job.nearest is None:
        raise UsageError(f"--top-k is for scores of classes, and {name} ({task.name}) gives none: leave it out")
    _check_files(job, table, name=name)
    if job.coco is not None and task.kind != "boxes":
        raise UsageError(f"--coco is for boxes, and {name} ({task.name}) gives none: leave it out")
    if job.sort_into is not None and task.sorts_by is None:
        raise UsageError(f"--sort-into needs exactly one label for each image; {name} is for {task.name}")
    if not task.takes_images and (job.report is not None or job.sort_into is not None):
        option = "--report" if job.report is not None else "--sort-into"
        raise UsageError(f"{option} is for images, and {name} takes rows: leave it out")
    if task.takes_images and (job.columns or job.keep):
        raise UsageError(f"--column and --keep are for columns of rows, and {name} takes images: leave them out")


def _check_vectors(job: Job, table: Table, *, name: str) -> None:
    """Whether embeddings go somewhere, and whether there are any to compare."""
    task = table.task
    if task.needs_vectors and job.embeddings is None and job.nearest is None:
        raise UsageError(
            f"{name} gives embeddings: name a file for them with --embeddings out.npy, or what is similar to find with "
            "--nearest FOLDER"
        )
    if job.nearest is not None and not task.needs_vectors:
        raise UsageError(f"--nearest is for embeddings, and {name} ({task.name}) gives none: leave it out")
    if job.nearest is not None and not job.nearest.exists():
        raise NotFoundError(f"--nearest {job.nearest}: no such file or folder")


def _check_files(job: Job, table: Table, *, name: str) -> None:
    """Whether there are files of the kind that is to go into a folder."""
    task = table.task
    if job.shard is not None and task.file is not None:
        made = task.file.option
        raise UsageError(f"--shard: {name} writes {made} beside its rows. Give each machine some of the images instead")
    for option, words in _FILES.items():
        if getattr(job, option) is not None and (task.file is None or task.file.option != option):
            raise UsageError(f"--{option} is for {words}, and {name} ({task.name}) gives none: leave it out")


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
    if item is None or (item.name, item.number) != (row["path"], row.get("row")):
        found = "there are no more images" if item is None else f"{item.name} is there instead"
        raise UsageError(f"--resume: {row['path']} was expected next, but {found}. Leave --resume out to start over")
    if loading.stamp(item) != stamp:
        raise UsageError(f"--resume: {item.name} has changed since that run. Leave --resume out to start over")
    return item
