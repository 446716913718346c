"""`--shard 3/16`: one part of a run, for as many machines as there are parts. `merging.py` joins them.

    out/part-00003-of-00016.jsonl   the rows
    out/part-00003-of-00016.npy     with --embeddings
    out/part-00003-of-00016.json    what they cover: a `PartRecord`, written before the rows get their name

Part i of N has batches i, i + N, i + 2N, … of the images in their order, which is by name below folders and URLs and so
does not depend on how a disk lists them. The parts are of whole batches because the last digits of an answer may depend
on its batch: each image is in the batch in which a single run would have put it. Parts are counted from 0, as
Kubernetes and AWS Batch count.
"""

import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from lit_infer import files
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.hardware import cpu_model

if TYPE_CHECKING:
    from lit_infer.folder.job import Job
    from lit_infer.folder.sources import Item
    from lit_infer.folder.tally import Tally

MOST = 100_000
NAME = re.compile(r"part-(\d{5})-of-(\d{5})\.json")
_FILES = (".jsonl", ".csv", ".parquet")


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`."""

    number: int
    count: int
    command: tuple[str, ...] = ()
    """The command line that makes it, without the program's name."""

    @classmethod
    def parse(cls, text: str, command: Sequence[str] = ()) -> Self:
        """`3/16`. Raises UsageError."""
        found = re.fullmatch(r"(\d{1,5})/(\d{1,6})", text)
        if not found or not 1 <= int(found[2]) < MOST:
            raise UsageError(f"--shard {text}: write 3/16 for part 3 of 16, which are counted 0 to 15")
        number, count = int(found[1]), int(found[2])
        if number >= count:
            raise UsageError(f"--shard {text}: parts are counted from 0, so the last of {count} is {count - 1}/{count}")
        return cls(number, count, tuple(command))

    @property
    def stem(self) -> str:
        """The name of its files, without a suffix."""
        return f"part-{self.number:05}-of-{self.count:05}"

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def rows(self, images: int, *, batch: int) -> int:
        """How many of so many images are its own."""
        full, rest = divmod(images, batch)
        own = len(range(self.number, full, self.count)) * batch
        return own + (rest if full % self.count == self.number else 0)


class Covered:
    """What all shards have together, as far as it has been come across."""

    def __init__(self) -> None:
        self.images = 0
        """All items, of every shard."""
        self._digest = hashlib.sha256()

    def add(self, name: str, count: int = 1) -> None:
        """So many items of this name come next."""
        self.images += count
        self._digest.update(name.encode(errors="surrogateescape") + b"\0" * count)

    @property
    def names(self) -> str:
        """A digest of all names in their order."""
        return self._digest.hexdigest()


class Share(Covered):
    """A shard's items among all, taken one by one; what all were is known when the last has been taken."""

    def __init__(self, items: "Iterator[Item]", shard: Shard, *, batch: int) -> None:
        super().__init__()
        self._own = self._taken(items, shard, batch)

    def __iter__(self) -> "Iterator[Item]":
        return self

    def __next__(self) -> "Item":
        return next(self._own)

    def _taken(self, items: "Iterator[Item]", shard: Shard, batch: int) -> "Iterator[Item]":
        for item in items:
            is_own = self.images // batch % shard.count == shard.number
            self.add(item.name)
            if is_own:
                yield item


class PartRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a part covers."""

    shard: int
    of: int
    images: int
    """Of all parts together."""
    names: str
    """A digest of all their names, in order."""
    batch: int
    """How many items each part takes in turn: images of a batch, or single rows."""
    rows: int
    """Of this part."""
    failed: int
    codes: dict[str, int]
    """Failed images per code."""
    bytes: int
    sha256: str
    """Of the file of rows."""
    vectors: str | None
    """The sha256 of the embeddings."""
    columns: dict[str, str]
    """Of the rows, with their types."""
    job: dict[str, Any]
    """What the rows depend on, by name."""
    processor: str
    command: list[str]


def part_of(job: "Job", text: str, command: Sequence[str]) -> "Job":
    """The job of one part: its output is the part's file in the folder that was named. Raises UsageError."""
    shard = Shard.parse(text, command)
    if job.output is None:
        raise UsageError("--shard keeps its rows for lit-infer merge, and --json keeps none: leave one of them out")
    if job.output.suffix in _FILES or job.output.is_file():
        raise UsageError(f"--shard {text} writes a part into a folder: name it, as in -o out/")
    whole = {
        "--report": job.report,
        "--sort-into": job.sort_into,
        "--coco": job.coco,
        **job.picture_folders(),
        "--nearest": job.nearest,
        "--explode": job.explode or None,
    }
    if given := [option for option, path in whole.items() if path is not None]:
        raise UsageError(f"{' and '.join(given)}: for a run in one piece; leave out with --shard")
    if job.embeddings is not None and job.embeddings.absolute() != job.output.absolute():
        raise UsageError(f"--embeddings: a part's go where its rows go: --embeddings {job.output}/")
    vectors = None if job.embeddings is None else job.output / f"{shard.stem}.npy"
    return replace(job, shard=shard, output=job.output / f"{shard.stem}.jsonl", embeddings=vectors)


def write_record(
    rows: Path, job: "Job", covered: Covered, tally: "Tally", *, facts: dict[str, Any], batch: int
) -> None:
    """Say what a part covers, beside the place where its finished `rows` will be. `facts`: `job.identity`."""
    if job.shard is None or job.output is None:
        raise ValueError("only a part has a record")
    record = PartRecord(
        shard=job.shard.number,
        of=job.shard.count,
        images=covered.images,
        names=covered.names,
        batch=batch,
        rows=tally.count,
        failed=tally.failed,
        codes=dict(tally.codes),
        bytes=rows.stat().st_size,
        sha256=files.sha256(rows),
        vectors=None if job.embeddings is None else files.sha256(job.embeddings),
        columns={name: str(kind) for name, kind in tally.table.columns.items()},
        job=facts,
        processor=cpu_model(),
        command=list(job.shard.command),
    )
    with files.atomic_text(record_of(job.output)) as file:
        file.write(msgspec.json.format(msgspec.json.encode(record), indent=1).decode() + "\n")


def read(path: Path) -> PartRecord:
    """A part's record. Raises ArtifactError if it is none."""
    try:
        record = msgspec.json.decode(path.read_bytes(), type=PartRecord)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} is no record of a part ({error}): remove it, and make the part again") from None
    if path.name != f"{Shard(record.shard, record.of).stem}.json":
        raise ArtifactError(f"{path} is the record of part {record.shard} of {record.of}: give it its name back")
    return record


def finished(job: "Job", facts: dict[str, Any]) -> PartRecord | None:
    """The record of this very part, if an earlier run of the same command has finished it. `facts`: `job.identity`."""
    if job.output is None or not record_of(job.output).exists():
        return None
    record = read(record_of(job.output))
    is_same = record.job == msgspec.json.decode(msgspec.json.encode(facts))
    is_there = job.output.exists() and job.output.stat().st_size == record.bytes
    return record if is_same and is_there else None


def record_of(output: Path) -> Path:
    """Where the record of a part's rows is."""
    return output.with_suffix(".json")


def command_line(record: PartRecord, numbers: Sequence[int], *, resume: bool, out: Path) -> str:
    """The line for a shell that makes these parts in the folder `out`. With `resume` what is there of them is kept."""
    part = f"{numbers[0] if len(numbers) == 1 else '$part'}/{record.of}"
    folder = shlex.quote(str(out))
    ours = {"--shard": part, "-o": folder, "--output": folder}
    words = ["lit-infer"]
    for before, word in zip(["", *record.command], record.command, strict=False):
        option, equals, _ = word.partition("=")
        if before in ours:
            words.append(ours[before])
        elif equals and option in ours:
            words.append(f"{option}={ours[option]}")
        elif word != "--resume":
            words.append(shlex.quote(word))
    if len(words) == 1:
        return f"the same job with --shard {part}"  # it was not a command line
    line = " ".join([*words, *(["--resume"] if resume else [])])
    return line if len(numbers) == 1 else f"for part in {' '.join(map(str, numbers))}; do {line}; done"
