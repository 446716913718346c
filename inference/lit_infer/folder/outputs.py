"""All outputs of a job together: checked before the work, given each result, and finished once."""

import errno
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lit_infer import images
from lit_infer.errors import LitError, UsageError
from lit_infer.folder import (
    coco,
    coco_points,
    drawing,
    html_report,
    loading,
    mask_files,
    picture_folder,
    resume,
    writers,
)
from lit_infer.folder.drawn_files import DrawnFiles
from lit_infer.folder.job import Job, identity
from lit_infer.folder.mask_files import MaskFiles
from lit_infer.folder.partial import Entry, Partial, PartialFile
from lit_infer.folder.picture_folder import PictureFolder
from lit_infer.folder.rows import array_output
from lit_infer.folder.rows.found import FoundBlock
from lit_infer.folder.rows.peeking import Peeking
from lit_infer.folder.sorting import Sorter, check_empty
from lit_infer.folder.sources import Inputs, Item
from lit_infer.folder.table import Table
from lit_infer.folder.vectors import Vectors, width
from lit_infer.predictor import Predictor
from lit_infer.tasks import Reading, Row

Notes = tuple[str, ...]
"""Names in `images.notes.NOTES`."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


_OF_BUNDLES = (".json", ".npz", ".npy")
_COCO: dict[str, Callable[[Iterable[Row], Path, Reading], None]] = {
    "points": coco_points.write,
    "boxes": lambda rows, path, reading: coco.write(rows, path, labels=reading.labels),
}
"""By column: what writes it as COCO has it."""


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
        self._partial = self._vectors = self._thumbnails = None
        self._pictures: list[PictureFolder] = []
        self._arrays: list[array_output.OutputArray] = []
        if folder is not None:
            parts: list[PartialFile] = []
            if job.masks is not None:
                self._pictures.append(MaskFiles(job.masks, root=inputs.root(), resume=job.resume))
            if job.draw is not None:
                turns = images.turns(predictor.manifest.preprocess)
                drawn = DrawnFiles(job.draw, table, root=inputs.root(), resume=job.resume, turns=turns)
                self._pictures.append(drawn)
            parts += self._pictures
            if job.embeddings is not None:
                self._vectors = Vectors(folder, width(predictor.manifest))
                parts.append(self._vectors)
            if job.report is not None:
                self._thumbnails = html_report.Thumbnails(
                    folder, most=job.thumbnails, turns=images.turns(predictor.manifest.preprocess)
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
            for pictures in self._pictures:
                pictures.remove()

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
        for pictures in self._pictures:
            pictures.finish()
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
    job = with_masks(job, table)
    for option, pictures in (("--masks", job.masks), ("--draw", job.draw)):
        if pictures is not None:
            _check_elsewhere(pictures, option, inputs)
            picture_folder.check(pictures, option)
    _check_apart({"--masks": job.masks, "--draw": job.draw, "--sort-into": job.sort_into})
    beside = job.output or job.embeddings or job.report or job.coco or _rows_beside(job.masks or job.draw)
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


def _check_apart(folders: Mapping[str, Path | None]) -> None:
    """Raise UsageError for two outputs in one folder: the later one would replace the other."""
    seen: dict[Path, str] = {}
    for option, folder in folders.items():
        if folder is not None and (other := seen.setdefault(folder.resolve(), option)) != option:
            raise UsageError(f"{other} and {option} are both {folder}: name a folder for each")


def _rows_beside(pictures: Path | None) -> Path | None:
    """Where the rows of a run grow that only makes pictures: not where those do."""
    return None if pictures is None else pictures.with_name(f"{pictures.name}.rows")


def with_masks(job: Job, table: Table) -> Job:
    """The job as it is done: masks go beside the rows, if they are wanted nowhere else."""
    if not table.task.draws_masks or job.masks is not None or job.output is None:
        return job
    return replace(job, masks=mask_files.folder_beside(job.output))


def _check_task(job: Job, table: Table, *, name: str) -> None:
    """Whether the model's answers suit what was asked for."""
    task = table.task
    if task.needs_vectors and job.embeddings is None:
        raise UsageError(f"{name} gives embeddings: name a file for them with --embeddings out.npy")
    if job.threshold is not None and not task.reads_threshold(table.reading):
        raise UsageError(f"--threshold is for scores, and {name} ({task.name}) gives none: leave it out")
    if job.top_k is not None and not task.takes_top_k:
        raise UsageError(f"--top-k is for scores of classes, and {name} ({task.name}) gives none: leave it out")
    if job.shard is not None and task.draws_masks:
        raise UsageError(f"--shard: {name} draws masks beside its rows. Give each machine some of the images instead")
    if job.masks is not None and not task.draws_masks:
        raise UsageError(f"--masks is for classes of pixels, and {name} ({task.name}) gives none: leave it out")
    if job.coco is not None and not _COCO.keys() & table.columns:
        raise UsageError(f"--coco is for boxes and points, and {name} ({task.name}) gives none: leave it out")
    if job.sort_into is not None and task.sorts_by is None:
        raise UsageError(f"--sort-into needs exactly one label for each image; {name} is for {task.name}")
    if task.takes_images and (job.columns or job.keep):
        raise UsageError(f"--column and --keep are for columns of rows, and {name} takes images: leave them out")
    _check_pictures(job, table, name=name)


def _check_pictures(job: Job, table: Table, *, name: str) -> None:
    """Whether there are pictures, and something to draw."""
    task = table.task
    for option, path in {"--report": job.report, "--sort-into": job.sort_into, "--draw": job.draw}.items():
        if path is not None and not task.takes_images:
            raise UsageError(f"{option} is for images, and {name} takes rows: leave it out")
    if job.draw is not None and task.kind not in drawing.KINDS:
        raise UsageError(f"--draw: {name} ({task.name}) gives nothing that could be drawn over an image: leave it out")


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
