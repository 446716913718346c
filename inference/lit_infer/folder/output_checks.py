"""What is wrong with the outputs that are asked for, found before any work is done."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path

from lit_infer import files
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import coco, coco_areas, coco_points, drawing, exploding, file_folder, resume, writers
from lit_infer.folder.job import Job
from lit_infer.folder.sorting import check_empty
from lit_infer.folder.sources import Inputs
from lit_infer.folder.table import Table
from lit_infer.predictor import Predictor
from lit_infer.tasks import Reading, Row, TaskSpec

_FILES = {"masks": "classes of pixels", "images": "pictures that a model makes", "maps": "maps of anomalies"}
"""Options that name a folder for a file of each image, and what they are for."""
_OF_BUNDLES = (".json", ".npz", ".npy")
COCO: dict[str, Callable[[Iterable[Row], Path, Reading], None]] = {
    "points": coco_points.write,
    "areas": lambda rows, path, reading: coco_areas.write(rows, path, labels=reading.labels),
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


def check_folders(job: Job, inputs: Inputs) -> None:
    """Whether every folder of files is the run's own: not searched, not another's, not another output's."""
    folders = job.picture_folders()
    for option, folder in folders.items():
        _check_elsewhere(folder, option, inputs)
        file_folder.check(folder, option)
    _check_apart([*folders.items(), *([("--sort-into", job.sort_into)] if job.sort_into else [])])


def _check_apart(folders: Iterable[tuple[str, Path]]) -> None:
    """Raise UsageError for two outputs in one folder: the later one would replace the other."""
    seen: dict[Path, str] = {}
    for option, folder in folders:
        if (other := seen.setdefault(folder.resolve(), option)) != option:
            raise UsageError(f"{other} and {option} are both {folder}: name a folder for each")


def check_bundle(job: Job, predictor: Predictor) -> None:
    """An output may lie in the model's folder, in place of none of its files."""
    folder = predictor.folder
    for path in (job.output, job.embeddings, job.coco):
        if path is None or folder is None or path.suffix not in _OF_BUNDLES or not path.exists():
            continue
        if path.resolve().parent == folder.resolve():
            raise UsageError(f"{path} is a file of the model: name another one")


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
    if job.coco is not None and not COCO.keys() & table.columns:
        raise UsageError(
            f"--coco is for boxes, points and classes of pixels, and {name} ({task.name}) gives none: leave it out"
        )
    if job.rle and task.row_with_runs is None:
        raise UsageError(f"--rle is for classes of pixels, and {name} ({task.name}) {_runs(task)}: leave it out")
    if job.explode and exploding.listed(table.columns) is None:
        raise UsageError(f"--explode is for boxes and points, and {name} ({task.name}) gives none: leave it out")
    if job.sort_into is not None and task.sorts_by is None:
        raise UsageError(f"--sort-into needs exactly one label for each image; {name} is for {task.name}")
    _check_inputs_suit(job, table, name=name)
    if job.draw is not None and not (task.kind in drawing.KINDS and task.has_drawn(table.reading)):
        raise UsageError(f"--draw: {name} ({task.name}) gives nothing that could be drawn over an image: leave it out")


def _runs(task: TaskSpec) -> str:
    return "has the runs of its masks in the rows anyway" if task.rows_have_masks else "gives none"


def _check_inputs_suit(job: Job, table: Table, *, name: str) -> None:
    """Whether options about images are for images, and those about columns for rows."""
    task = table.task
    if not task.takes_images and (options := _of_images(job)):
        raise UsageError(f"{options[0]} is for images, and {name} takes rows: leave it out")
    if table.images:
        _check_several(job, table, name=name)
    elif task.takes_images and (job.columns or job.keep):
        raise UsageError(f"--column and --keep are for columns of rows, and {name} takes images: leave them out")


def _check_several(job: Job, table: Table, *, name: str) -> None:
    """Whether what is asked for can be had of several images for each answer."""
    single = {
        "--report": job.report is not None,
        "--draw": job.draw is not None,
        "--sort-into": job.sort_into is not None,
        "--nearest": job.nearest is not None,
        "--coco": job.coco is not None,
        "--keep": bool(job.keep),
    }
    if wrong := next((option for option, is_given in single.items() if is_given), None):
        raise UsageError(
            f"{wrong} is for answers of one image each, and {name} takes {' and '.join(table.images)}: leave it out"
        )


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
