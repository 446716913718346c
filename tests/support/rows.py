"""Rows of the folder command, and what they add up to."""

from typing import Any

from lit_infer.folder.table import Table
from lit_infer.folder.tally import Summary, Tally
from lit_infer.manifest import Tensor
from lit_infer.tasks import TASKS, Row


def good(path: str, label: str = "red", *others: str) -> Row:
    top = [{"label": name, "index": index, "score": 0.9 / (index + 1)} for index, name in enumerate((label, *others))]
    return {"path": path, "label": label, "index": 0, "score": 0.9, "top": top, "error": None, "code": None}


def bad(path: str, code: str = "empty") -> Row:
    nothing = {"label": None, "index": None, "score": None, "top": []}
    return {"path": path, **nothing, "error": "the file is empty", "code": code}


def table(labels: Any = None, task: str = "image-classification", **more: Any) -> Table:
    """The rows of a model with these labels."""
    spec = TASKS[task]
    size = len(labels) if labels else None
    outputs = (Tensor(name="y", dtype="float32", shape=("batch", 3)),)
    return Table(spec, spec.reading(labels=labels, answers={}, size=size, outputs=outputs), "m@1", **more)


def summary(*rows: Row, seconds: float = 1.0, labels: Any = None, resumed: int = 0) -> Summary:
    tally = Tally(table(labels))
    for row in rows:
        tally.add(row)
    tally.resumed = resumed
    return tally.summary(seconds=seconds)
