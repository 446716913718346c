"""What a run of `lit-infer` is asked to do, and what must be unchanged for it to be resumed."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_infer import files, manifest
from lit_infer.errors import GateError, UsageError
from lit_infer.folder import nearest
from lit_infer.folder.shards import Shard
from lit_infer.folder.sources import Inputs
from lit_infer.images.limits import Limits
from lit_infer.predictor import Predictor
from lit_infer.tasks import AnswerFile

DEFAULT_TOP_K = 5


@dataclass(frozen=True)
class ErrorLimit:
    """How many images may fail before a run is stopped: a number, or a share of the images so far."""

    text: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d+|(100|\d?\d(\.\d+)?)%", self.text):
            raise UsageError(f"--max-errors {self.text}: give a number (100) or a share (5%)")

    def check(self, *, failed: int, count: int, nouns: str = "images") -> None:
        """Raise GateError if too many have failed. A share is judged from 100 images on."""
        limit = float(self.text.rstrip("%"))
        share = self.text.endswith("%")
        if (count >= 100 and failed * 100 > limit * count) if share else failed > limit:
            raise GateError(
                f"stopped: {failed} of {count} {nouns} failed, more than --max-errors {self.text}. "
                "To continue, give a higher limit and --resume"
            )


@dataclass(frozen=True)
class Job:
    """One run: how to predict, and which outputs to make."""

    top_k: int | None = None
    """Classes to record for each image; None: `DEFAULT_TOP_K` where the task has classes."""
    batch_size: int | None = None
    """Images per run of the graph; None: the predictor's."""
    limits: Limits = field(default_factory=Limits)
    threshold: float | None = None
    """Below this score an image gets no label; None: as in the model's facts."""
    timings: bool = False
    """Whether rows have the milliseconds of each stage."""
    output: Path | None = None
    """.jsonl, .csv or .parquet; None: the rows go only to the caller."""
    embeddings: Path | None = None
    masks: Path | None = None
    """A folder for the masks of a task that has some; None: beside `output`, and without one nowhere."""
    draw: Path | None = None
    """A folder for copies of the images with what was found drawn over them."""
    images: Path | None = None
    """The same for the pictures that a task makes,"""
    maps: Path | None = None
    """and for its maps."""
    nearest: Path | None = None
    """For embeddings: a folder, or an .npy file, of which the `top_k` most similar are recorded for each image."""
    coco: Path | None = None
    """A .json file for the boxes of a task that has some, as COCO has them."""
    rle: bool = False
    """Whether the pixels of each class are in the rows, as runs."""
    explode: bool = False
    """Whether each thing that was found has a row of its own."""
    report: Path | None = None
    thumbnails: int = 2000
    sort_into: Path | None = None
    hard_links: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    """Of rows: by what the model calls a value, what the files call it."""
    keep: tuple[str, ...] = ()
    """Of rows: columns of the files that the output has as well."""
    max_errors: ErrorLimit | None = None
    resume: bool = False
    shard: Shard | None = None
    """The part of the run that this is; None: all of it."""

    @property
    def wants_runs(self) -> bool:
        """COCO's JSON is written from the rows."""
        return self.rle or self.coco is not None

    def folder_of(self, kind: AnswerFile) -> Path | None:
        """Where files of this kind go."""
        folder: Path | None = getattr(self, kind.option)
        return folder

    def picture_folders(self) -> dict[str, Path]:
        """The folders that get a file for each image, by the options that name them."""
        folders = {"--masks": self.masks, "--images": self.images, "--maps": self.maps, "--draw": self.draw}
        return {option: folder for option, folder in folders.items() if folder is not None}

    def written(self) -> dict[str, Path | None]:
        """The outputs, by the words that introduce each path in the summary."""
        return {
            "written to": self.output,
            "embeddings in": self.embeddings,
            "masks in": self.masks,
            "drawn in": self.draw,
            "images in": self.images,
            "maps in": self.maps,
            "COCO's JSON in": self.coco,
            "report in": self.report,
            "sorted into": self.sort_into,
        }


def identity(job: Job, inputs: Inputs, predictor: Predictor) -> dict[str, Any]:
    """Everything that the rows depend on, by name. A run is resumed only if all of it is unchanged."""
    from lit_infer import __version__

    return {
        "lit-deploy": __version__,
        "model": hashlib.sha256(manifest.encode(predictor.manifest)).hexdigest(),
        "graph": _graph(predictor),
        "engine": predictor.engine,
        "device": predictor.device,
        "images": hashlib.sha256("\0".join(inputs.facts()).encode(errors="surrogateescape")).hexdigest(),
        "--top-k": job.top_k or DEFAULT_TOP_K,
        "--batch-size": job.batch_size or predictor.batch_size,
        "--max-bytes": job.limits.max_bytes,
        "--max-pixels": job.limits.max_pixels,
        "--max-side": job.limits.max_side,
        "--max-scans": job.limits.max_scans,
        "--threshold": job.threshold,
        "--tiles": predictor.tiles_words(),
        "--timings": job.timings,
        "--embeddings": _text(job.embeddings),
        "--masks": _text(job.masks),
        "--draw": _text(job.draw),
        "--images": _text(job.images),
        "--maps": _text(job.maps),
        "--nearest": None if job.nearest is None else [str(job.nearest), nearest.stamp(job.nearest, predictor)],
        "--coco": _text(job.coco),
        "--rle": job.rle,
        "--explode": job.explode,
        "--report": _text(job.report),
        "--thumbnails": job.thumbnails,
        "--sort-into": _text(job.sort_into),
        "--hard-links": job.hard_links,
        "--column": dict(job.columns),
        "--keep": list(job.keep),
        "--shard": None if job.shard is None else str(job.shard),
    }


def _graph(predictor: Predictor) -> str | None:
    """Which graph runs: its name in a bundle, whose manifest has the digests, or a lone file's own digest."""
    if predictor.path is None:
        return None
    return predictor.path.name if predictor.manifest.graphs else files.sha256(predictor.path)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
