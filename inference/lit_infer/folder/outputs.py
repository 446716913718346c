"""All outputs of a job together: checked before the work, given each result, and finished once."""

import errno
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

from lit_infer import images
from lit_infer.errors import LitError, UsageError
from lit_infer.folder import coco, html_report, loading, mask_files, resume, writers
from lit_infer.folder.job import Job, identity
from lit_infer.folder.mask_files import MaskFiles
from lit_infer.folder.partial import Entry, Partial, PartialFile
from lit_infer.folder.sorting import Sorter, check_empty
from lit_infer.folder.sources import Inputs, Item
from lit_infer.folder.table import Table
from lit_infer.folder.vectors import Vectors, width
from lit_infer.predictor import Predictor
from lit_infer.tasks import Row

Notes = tuple[str, ...]
"""Names in `images.notes.NOTES`."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


_OF_BUNDLES = (".json", ".npz", ".npy")


def check(job: Job, inputs: Inputs) -> None:
    """Whether everything can be written, checked before any work is done. Raises UsageError, MissingExtraError."""
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
        self._partial = self._vectors = self._thumbnails = self._masks = None
        if folder is not None:
            parts: list[PartialFile] = []
            if job.masks is not None:
                self._masks = MaskFiles(job.masks, root=inputs.root(), resume=job.resume)
                parts.append(self._masks)
            if job.embeddings is not None:
                self._vectors = Vectors(folder, width(predictor.manifest))
                parts.append(self._vectors)
            if job.report is not None:
                self._thumbnails = html_report.Thumbnails(
                    folder, most=job.thumbnails, turns=images.turns(predictor.manifest.preprocess)
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
            if self._masks is not None:
                self._masks.remove()

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
        if self._masks is not None:
            self._masks.finish()
        if job.output is not None:
            made = rows.file.path
            if job.output.suffix != ".jsonl":
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
    job = with_masks(job, table)
    if job.masks is not None:
        _check_elsewhere(job.masks, "--masks", inputs)
        mask_files.check(job.masks)
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
    beside = job.output or job.embeddings or job.report or job.masks or job.coco
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


def with_masks(job: Job, table: Table) -> Job:
    """The job as it is done: masks go beside the rows, if they are wanted nowhere else."""
    if not table.task.draws_masks or job.masks is not None or job.output is None:
        return job
    return replace(job, masks=mask_files.folder_beside(job.output))


def check_task(job: Job, table: Table, *, name: str) -> None:
    """Whether the model's answers suit what was asked for."""
    task = table.task
    if task.needs_vectors and job.embeddings is None:
        raise UsageError(f"{name} gives embeddings: name a file for them with --embeddings out.npy")
    if job.threshold is not None and not task.takes_threshold:
        raise UsageError(f"--threshold is for labels, and {name} ({task.name}) gives none: leave it out")
    if job.top_k is not None and not task.takes_top_k:
        raise UsageError(f"--top-k is for scores of classes, and {name} ({task.name}) gives none: leave it out")
    if job.shard is not None and task.draws_masks:
        raise UsageError(f"--shard: {name} draws masks beside its rows. Give each machine some of the images instead")
    if job.masks is not None and not task.draws_masks:
        raise UsageError(f"--masks is for classes of pixels, and {name} ({task.name}) gives none: leave it out")
    if job.coco is not None and task.kind != "boxes":
        raise UsageError(f"--coco is for boxes, and {name} ({task.name}) gives none: leave it out")
    if job.sort_into is not None and task.sorts_by is None:
        raise UsageError(f"--sort-into needs exactly one label for each image; {name} is for {task.name}")
    if not task.takes_images and (options := _of_images(job)):
        raise UsageError(f"{options[0]} is for images, and {name} takes rows: leave it out")
    if task.takes_images and (job.columns or job.keep):
        raise UsageError(f"--column and --keep are for columns of rows, and {name} takes images: leave them out")


def _of_images(job: Job) -> list[str]:
    """Options that say something about images, and nothing about rows."""
    usual = Job()
    given = {
        "--sort-into": job.sort_into is not None,
        "--thumbnails": job.thumbnails != usual.thumbnails,
        "--hard-links": job.hard_links,
    }
    for limit in fields(job.limits):
        given[f"--{limit.name.replace('_', '-')}"] = getattr(job.limits, limit.name) != getattr(
            usual.limits, limit.name
        )
    return [option for option, is_given in given.items() if is_given]


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
