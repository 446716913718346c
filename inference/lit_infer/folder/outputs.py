"""All outputs of a job together: checked before the work, given each result, and finished once."""

import errno
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lit_infer import files, images
from lit_infer.errors import LitError, NotFoundError, UsageError
from lit_infer.folder import (
    answer_files,
    coco,
    coco_points,
    drawing,
    exploding,
    file_folder,
    html_report,
    loading,
    resume,
    writers,
)
from lit_infer.folder.answer_files import AnswerFiles
from lit_infer.folder.drawn_files import DrawnFiles
from lit_infer.folder.file_folder import FileFolder
from lit_infer.folder.job import Job, identity
from lit_infer.folder.partial import Entry, Partial, PartialFile
from lit_infer.folder.sorting import Sorter, check_empty
from lit_infer.folder.sources import Inputs, Item
from lit_infer.folder.table import Table
from lit_infer.folder.vectors import Vectors, width
from lit_infer.predictor import Predictor
from lit_infer.tasks import Reading, Row

Notes = tuple[str, ...]
"""Names in `images.notes.NOTES`."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


_FILES = {"masks": "classes of pixels", "images": "pictures that a model makes", "maps": "maps of anomalies"}
"""Options that name a folder for a file of each image, and what they are for."""
_OF_BUNDLES = (".json", ".npz", ".npy")
_COCO: dict[str, Callable[[Iterable[Row], Path, Reading], None]] = {
    "points": coco_points.write,
    "boxes": lambda rows, path, reading: coco.write(rows, path, labels=reading.labels),
}
"""By column: what writes it as COCO has it."""


def check(job: Job, inputs: Inputs) -> None:
    """Whether everything can be written, checked before any work is done. Raises UsageError, MissingExtraError."""
    _check_local(job)
    named = {"--output": job.output, "--embeddings": job.embeddings, "--report": job.report, "--coco": job.coco}
    if job.output is not None and job.output.suffix in writers.ARRAYS:
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


def _check_local(job: Job) -> None:
    for path in job.written().values():
        if path is not None:
            files.check_local(path)


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
                    folder, kind=table.task.kind, most=job.thumbnails, turns=images.turns(predictor.manifest.preprocess)
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
            yield _unchanged(row, stamp, next(items, None)), row, notes

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
            html_report.write(rows.read, self._thumbnails, page, table=self._table, remarks=remarks)
            writers.publish(page, job.report)
        if job.embeddings is not None and self._vectors is not None:
            writers.publish(self._vectors.finish(), job.embeddings)
        if job.coco is not None:
            column = next(name for name in _COCO if name in self._table.columns)
            _COCO[column](rows.read(), job.coco, self._table.reading)
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
    check(job, inputs)
    check_task(job, table, name=predictor.manifest.name)
    job = with_files(job, table)
    for option, made_in in _made_in(job, table):
        _check_elsewhere(made_in, option, inputs)
        file_folder.check(made_in, option)
    _check_apart([*_made_in(job, table), *([("--sort-into", job.sort_into)] if job.sort_into else [])])
    with work_folder(job, inputs, predictor) as folder:
        outputs = RunOutputs(job, inputs, predictor, table, folder)
        try:
            yield outputs
        finally:
            outputs.close()


@contextmanager
def work_folder(job: Job, inputs: Inputs, predictor: Predictor) -> Iterator[Path | None]:
    """Where a job keeps its results until it is finished, locked; None for one without outputs."""
    _check_bundle(job, predictor)
    beside = (
        job.output
        or job.embeddings
        or job.report
        or job.coco
        or _rows_beside(job.masks or job.images or job.maps or job.draw)
    )
    if beside is None:
        yield None
        return
    facts = json.loads(json.dumps(identity(job, inputs, predictor)))
    work = resume.folder_for(beside)
    with _full_disk_is_reported(work), resume.locked(work, identity=facts, resume=job.resume) as folder:
        yield folder


def _check_bundle(job: Job, predictor: Predictor) -> None:
    """An output may lie in the model's folder, in place of none of its files."""
    folder = predictor.folder
    for path in (job.output, job.embeddings, job.coco):
        if path is None or folder is None or path.suffix not in _OF_BUNDLES or not path.exists():
            continue
        if path.resolve().parent == folder.resolve():
            raise UsageError(f"{path} is a file of the model: name another one")


def _check_apart(folders: Iterable[tuple[str, Path]]) -> None:
    """Raise UsageError for two outputs in one folder: the later one would replace the other."""
    seen: dict[Path, str] = {}
    for option, folder in folders:
        if (other := seen.setdefault(folder.resolve(), option)) != option:
            raise UsageError(f"{other} and {option} are both {folder}: name a folder for each")


def _rows_beside(pictures: Path | None) -> Path | None:
    """Where the rows of a run grow that only makes pictures: not where those do."""
    return None if pictures is None else pictures.with_name(f"{pictures.name}.rows")


def _made_in(job: Job, table: Table) -> Iterator[tuple[str, Path]]:
    """The folders that get a file for each image, with the options that name them."""
    kind = table.task.file
    if kind is not None and (beside := job.folder_of(kind)) is not None:
        yield f"--{kind.option}", beside
    if job.draw is not None:
        yield "--draw", job.draw


def with_files(job: Job, table: Table) -> Job:
    """The job as it is done: masks and their like go beside the rows, if they are wanted nowhere else."""
    kind = table.task.file
    if kind is None or table.task.rows_have_masks or job.folder_of(kind) is not None or job.output is None:
        return job
    beside: dict[str, Any] = {kind.option: answer_files.folder_beside(job.output, kind.option)}
    return replace(job, **beside)


def check_task(job: Job, table: Table, *, name: str) -> None:
    """Whether the model's answers suit what was asked for."""
    task = table.task
    _check_vectors(job, table, name=name)
    if job.threshold is not None and not task.reads_threshold(table.reading):
        raise UsageError(f"--threshold is for scores, and {name} ({task.name}) gives none: leave it out")
    task.check_threshold(job.threshold, table.reading, name=name)
    if job.top_k is not None and not task.takes_top_k and job.nearest is None:
        raise UsageError(f"--top-k is for scores of classes, and {name} ({task.name}) gives none: leave it out")
    _check_files(job, table, name=name)
    if job.coco is not None and not _COCO.keys() & table.columns:
        raise UsageError(f"--coco is for boxes and points, and {name} ({task.name}) gives none: leave it out")
    if job.explode and exploding.listed(table.columns) is None:
        raise UsageError(f"--explode is for boxes and points, and {name} ({task.name}) gives none: leave it out")
    if job.sort_into is not None and task.sorts_by is None:
        raise UsageError(f"--sort-into needs exactly one label for each image; {name} is for {task.name}")
    _check_inputs_suit(job, table, name=name)
    if job.draw is not None and task.kind not in drawing.KINDS:
        raise UsageError(f"--draw: {name} ({task.name}) gives nothing that could be drawn over an image: leave it out")


def _check_inputs_suit(job: Job, table: Table, *, name: str) -> None:
    """Whether options about images are for images, and those about columns for rows."""
    task = table.task
    if not task.takes_images and (options := _of_images(job)):
        raise UsageError(f"{options[0]} is for images, and {name} takes rows: leave it out")
    if task.takes_images and (job.columns or job.keep):
        raise UsageError(f"--column and --keep are for columns of rows, and {name} takes images: leave them out")


def _of_images(job: Job) -> list[str]:
    """Options that say something about images, and nothing about rows."""
    usual = Job()
    given = {
        "--sort-into": job.sort_into is not None,
        "--draw": job.draw is not None,
        "--thumbnails": job.thumbnails != usual.thumbnails,
        "--hard-links": job.hard_links,
    }
    for limit in fields(job.limits):
        given[f"--{limit.name.replace('_', '-')}"] = getattr(job.limits, limit.name) != getattr(
            usual.limits, limit.name
        )
    return [option for option, is_given in given.items() if is_given]


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
    if job.shard is not None and task.file is not None and not task.rows_have_masks:
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
    if item is None or item.name != row["path"]:
        found = "there are no more images" if item is None else f"{item.name} is there instead"
        raise UsageError(f"--resume: {row['path']} was expected next, but {found}. Leave --resume out to start over")
    if loading.stamp(item) != stamp:
        raise UsageError(f"--resume: {item.name} has changed since that run. Leave --resume out to start over")
    return item
