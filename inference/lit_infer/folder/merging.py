"""`lit-infer merge DIR`: the parts that `--shard` has made, as the one file that a single run would have made.

    read every record -> all there, of one model, job and set of inputs -> take a batch of each part in turn -> outputs

The rows must have the digest that their record says. A process may hold only some files open, so a part is opened for
each piece that is read, and there may be any number of them.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

from lit_infer import files
from lit_infer.errors import ArtifactError, GateError, NotFoundError, UsageError
from lit_infer.folder import resume, shards, vectors, writers
from lit_infer.folder.shards import PartRecord, Shard
from lit_infer.folder.table import Columns
from lit_infer.tasks import Row

_MEMORY = 2**26  # bytes of rows that are held, of all parts together
_LEAST = 2**13  # bytes read at once of each
_SHOWN = 8  # lost parts in a message
_OF_A_PART = {"--shard", "images", "--embeddings"}  # facts that may differ: names and places, compared by other means


@dataclass(frozen=True)
class Merged:
    """What a merge made."""

    parts: int
    rows: int
    failed: int
    codes: Mapping[str, int]
    """Failed images per code."""
    processors: Mapping[str, int]
    """The parts made on each kind of processor: the last digits of an answer may depend on it."""


def merge(folder: Path, output: Path, *, embeddings: Path | None = None) -> Merged:
    """Write the rows of all parts below `folder` into one file, and their embeddings into another.

    Raises NotFoundError where there are no parts, UsageError for outputs that cannot be made of them, GateError for a
    part that is lost or was made otherwise than the others, ArtifactError for one that is damaged. Then nothing is
    written.
    """
    if output.suffix not in (".jsonl", ".csv", ".parquet"):
        raise UsageError(f"--output {output}: the name must end in .jsonl, .csv or .parquet")
    writers.check(output)
    if embeddings is not None:
        writers.check_writable(embeddings, option="--embeddings")
    records = _records(folder)
    _check_outputs(folder, records, output, embeddings)
    _check_same(folder, records)
    for record in records:
        _check_whole(folder, record)
    with files.staging_folder(output.parent) as staging:
        if embeddings is not None:
            _join_vectors(folder, records, staging / "vectors.npy")
        _join_rows(folder, records, staging / output.name)
        if embeddings is not None:
            writers.publish(staging / "vectors.npy", embeddings)
        writers.publish(staging / output.name, output)
    codes: Counter[str] = Counter()
    for record in records:
        codes.update(record.codes)
    processors = Counter(record.processor for record in records)
    return Merged(len(records), records[0].images, sum(record.failed for record in records), codes, processors)


def _records(folder: Path) -> list[PartRecord]:
    """The record of every part, in order."""
    if not folder.is_dir():
        raise NotFoundError(f"no such folder: {folder}")
    found = sorted(path for path in folder.iterdir() if shards.NAME.fullmatch(path.name))
    if not found:
        raise NotFoundError(f"no finished part in {folder}: make them with lit-infer … --shard 0/16 -o {folder}")
    records = {record.shard: record for record in map(shards.read, found)}
    counts = sorted({int(path.stem.rpartition("-")[2]) for path in found})
    if len(counts) > 1:
        raise UsageError(f"{folder} has parts of {' and of '.join(map(str, counts))}: remove those that are not wanted")
    lost = [number for number in range(counts[0]) if number not in records or not _rows_of(folder, records[number])]
    if lost:
        raise GateError(_lost(folder, records, lost, counts[0]))
    return [records[number] for number in range(counts[0])]


def _rows_of(folder: Path, record: PartRecord) -> bool:
    return _path(folder, record, ".jsonl").exists()


def _lost(folder: Path, records: Mapping[int, PartRecord], lost: Sequence[int], count: int) -> str:
    begun = [number for number in lost if resume.folder_for(folder / f"{Shard(number, count).stem}.jsonl").exists()]
    state = "is not finished" if begun == lost else "is missing or not finished" if begun else "is missing"
    known = next(iter(records.values()))
    line = shards.command_line(known, lost, resume=True, out=folder)
    return f"{_parts(lost)} of {count} {_agree(lost, state)}. Run: {line}"


def _parts(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"part {numbers[0]}"
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"parts {', '.join(map(str, numbers[:_SHOWN]))}{more}"


def _agree(numbers: Sequence[int], words: str) -> str:
    return words if len(numbers) == 1 else words.replace("is ", "are ", 1)


def _check_outputs(folder: Path, records: Sequence[PartRecord], output: Path, embeddings: Path | None) -> None:
    for path in (output, embeddings):
        if path is not None and path.absolute().parent == folder.absolute() and path.name.startswith("part-"):
            raise UsageError(f"{path} has the name of a part: name another file")
    if embeddings is not None and embeddings.suffix != ".npy":
        raise UsageError(f"--embeddings {embeddings}: the name must end in .npy")
    if embeddings is not None and all(record.vectors is None for record in records):
        raise UsageError(f"the parts in {folder} have no embeddings: leave --embeddings out")
    if embeddings is None and any(record.vectors is not None for record in records):
        raise UsageError(f"the parts in {folder} have embeddings: name a file for them with --embeddings all.npy")


def _check_same(folder: Path, records: Sequence[PartRecord]) -> None:
    """Whether all parts are of one model, one job and one set of inputs."""
    facts = [_facts(record) for record in records]
    for name in dict.fromkeys(name for one in facts for name in one):
        values = [one.get(name) for one in facts]
        usual = Counter(values).most_common(1)[0][0]
        if odd := [number for number, value in enumerate(values) if value != usual]:
            now = values[odd[0]]
            shown = "" if len(now or "") > 40 or name == "images" else f" ({now}, the others {usual})"
            line = shards.command_line(records[odd[0]], odd, resume=False, out=folder)
            raise GateError(f"{_parts(odd)}: not the same {name} as the other parts{shown}. Make again: {line}")


def _facts(record: PartRecord) -> dict[str, str]:
    """What all parts must have in common, as text by name."""
    job = {name: json.dumps(value) for name, value in record.job.items() if name not in _OF_A_PART}
    return {
        **job,
        "images": f"{record.images} {record.names}",
        "--embeddings": str(record.vectors is not None),
        "columns": json.dumps(record.columns),
        "--batch-size": str(record.batch),
    }


def _check_whole(folder: Path, record: PartRecord) -> None:
    """Whether a part has as many rows as are its own, and its files are as it left them."""
    expected = Shard(record.shard, record.of).rows(record.images, batch=record.batch)
    for suffix, digest in ((".jsonl", record.sha256), (".npy", record.vectors)):
        path = _path(folder, record, suffix)
        if digest is not None and (record.rows != expected or not path.exists() or files.sha256(path) != digest):
            line = shards.command_line(record, [record.shard], resume=False, out=folder)
            raise ArtifactError(f"{path} is not as its record says. Make the part again: {line}")


def _path(folder: Path, record: PartRecord, suffix: str) -> Path:
    return folder / f"{Shard(record.shard, record.of).stem}{suffix}"


def _join_rows(folder: Path, records: Sequence[PartRecord], path: Path) -> None:
    piece = max(_LEAST, _MEMORY // len(records))

    def lines() -> Iterator[bytes]:
        return _in_turn(records, [_lines(_path(folder, record, ".jsonl"), piece=piece) for record in records])

    def rows() -> Iterator[Row]:
        return map(json.loads, lines())

    if path.suffix == ".jsonl":
        with path.open("wb") as file:
            file.writelines(lines())
        return
    writers.writer(path)(rows(), path, writers.settled(rows, cast(Columns, records[0].columns)))


def _in_turn(records: Sequence[PartRecord], readers: Sequence[Iterator[bytes]]) -> Iterator[bytes]:
    """The lines of a batch of each part in turn, until all are empty."""
    for part in _turns(records):
        yield from islice(readers[part], records[0].batch)


def _turns(records: Sequence[PartRecord]) -> Iterator[int]:
    """Which part each batch is of."""
    return (number % len(records) for number in range(-(-records[0].images // records[0].batch)))


def _lines(path: Path, *, piece: int) -> Iterator[bytes]:
    """A part's rows as lines, read so many bytes at a time."""
    start, rest = 0, b""
    while True:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            data = file.read(piece)
        if not data:
            return
        start += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line + b"\n"


def _join_vectors(folder: Path, records: Sequence[PartRecord], path: Path) -> None:
    """The embeddings of all parts, in the order of the rows."""
    import numpy as np

    arrays: list[Any] = [np.load(_path(folder, record, ".npy"), mmap_mode="r") for record in records]
    readers = [_batches(array, record.batch) for record, array in zip(records, arrays, strict=True)]
    with path.open("wb") as file:
        file.write(vectors.header(records[0].images, arrays[0].shape[1]))
        for part in _turns(records):
            file.write(next(readers[part]))


def _batches(array: Any, batch: int) -> Iterator[bytes]:
    return (array[start : start + batch].tobytes() for start in range(0, len(array), batch))
