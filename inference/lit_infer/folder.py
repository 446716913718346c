"""Predict everything below some paths: list the images, stream them through the predictor, write the rows."""

import csv
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lit_infer import files, images
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.predictor import Prediction, Predictor

Rows = Iterator[dict[str, Any]]

COLUMNS = ("path", "label", "index", "score", "top", "error", "code", "model")


@dataclass(frozen=True)
class Summary:
    """What a run over a folder came to."""

    predictions: tuple[Prediction, ...]
    seconds: float
    output: Path | None

    @property
    def failed(self) -> tuple[Prediction, ...]:
        """The images that could not be read."""
        return tuple(prediction for prediction in self.predictions if prediction.error is not None)

    def accuracy(self, labels: Sequence[str] | None) -> tuple[int, int] | None:
        """(right, all) where each image lies in a folder named after its class; None where one does not."""
        read = [prediction for prediction in self.predictions if prediction.error is None]
        truths = [Path(prediction.path or "").parent.name for prediction in read]
        if not read or labels is None or not set(truths) <= set(labels):
            return None
        return sum(p.label == truth for p, truth in zip(read, truths, strict=True)), len(read)


def list_images(paths: Sequence[Path]) -> list[Path]:
    """Files as given and, below folders, files with an image's suffix; sorted per folder, each once.

    Hidden files and folders are left out. Raises NotFoundError for a path that is not there and for a folder
    without images.
    """
    found: dict[Path, None] = {}
    for path in paths:
        below = sorted(_below(path)) if path.is_dir() else [path]
        if not below:
            suffixes = " ".join(sorted(images.SUFFIXES))
            raise NotFoundError(f"no images below {path}/ (looked for {suffixes})")
        if not path.exists():
            raise NotFoundError(f"no such file or folder: {path}")
        found.update(dict.fromkeys(below))
    return list(found)


def run(
    predictor: Predictor,
    paths: Sequence[Path],
    *,
    top_k: int,
    batch_size: int,
    output: Path | None,
    advance: Callable[[Prediction], None] = lambda _: None,
) -> Summary:
    """Predict each path, in order. The output file appears under its name when every row is in it."""
    started = time.perf_counter()
    predictions = []

    def rows() -> Iterator[dict[str, Any]]:
        for prediction in predictor.stream(paths, top_k=top_k, batch_size=batch_size):
            predictions.append(prediction)
            advance(prediction)
            yield row(prediction, model=predictor.manifest.identity())

    if output is None:
        for _ in rows():
            pass
    else:
        write_rows(rows(), output)
    return Summary(tuple(predictions), time.perf_counter() - started, output)


def row(prediction: Prediction, *, model: str) -> dict[str, Any]:
    """A prediction as plain data, in the order of COLUMNS; `model` says which weights made it."""
    top = [{"label": choice.label, "index": choice.index, "score": choice.score} for choice in prediction.top]
    path = Path(prediction.path).as_posix() if prediction.path is not None else None
    return {
        "path": path,
        "label": prediction.label,
        "index": prediction.index,
        "score": prediction.score,
        "top": top,
        "error": prediction.error,
        "code": prediction.code,
        "model": model,
    }


def write_rows(rows: Rows, output: Path) -> None:
    """Write rows as the file's suffix says; the file appears when every row is in it."""
    write = _writer(output)
    with files.atomic_text(output) as file:
        write(rows, file)


def check_output(output: Path) -> None:
    """Whether the output can be written, asked before any work is done."""
    _writer(output)
    if output.is_dir():
        raise UsageError(f"--output {output} is a folder; name a file in it")
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"--output {output}: cannot write in {folder}")


def _writer(output: Path) -> Callable[[Rows, IO[str]], None]:
    writers = {".jsonl": _write_jsonl, ".csv": _write_csv}
    if output.suffix not in writers:
        raise UsageError(f"--output {output}: the name must end in {' or '.join(writers)}")
    return writers[output.suffix]


def _write_jsonl(rows: Rows, file: IO[str]) -> None:
    for line in rows:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _write_csv(rows: Rows, file: IO[str]) -> None:
    table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    table.writeheader()
    for line in rows:
        table.writerow({**line, "top": json.dumps(line["top"], ensure_ascii=False)})


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in images.SUFFIXES:
                yield Path(root, name)


def _refuse(error: OSError) -> None:
    """A folder that may not be listed would otherwise be left out without a word."""
    raise UsageError(f"cannot list {error.filename}: {error.strerror}")
