"""The cells of a column as text, for lines of JSON and for CSV, each as the row by itself would have it."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lit_infer import progress
from lit_infer.column_values import ChoicesColumn, DictionaryColumn, RaggedColumn
from lit_infer.folder.rows.answered import OutputColumn

_encode = json.JSONEncoder(ensure_ascii=False).encode
_SPECIAL = frozenset('",\n\r')


def of_json(column: OutputColumn) -> list[str]:
    """Each cell as JSON, which has no word for NaN and infinity: they are null."""
    return _filled(column, _json_texts(column.values), as_json)


def of_csv(column: OutputColumn) -> list[str]:
    """Each cell as csv.writer writes it; what is no scalar as JSON."""
    return _filled(column, _csv_texts(column.values), _cell)


def as_json(value: Any) -> str:
    """A value as JSON, with null for NaN and infinity."""
    text = _encode(value)
    if "NaN" not in text and "Infinity" not in text:
        return text
    made = _encode(finite(value))
    if made != text:
        _tell()
    return made


def finite(value: Any) -> Any:
    """Plain data without NaN and infinity: None is there instead."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, list) else value


def _tell() -> None:
    progress.note_once("NaN and infinity are written as null, where JSON is: it has no word for them")


def _filled(column: OutputColumn, texts: list[str], text: Callable[[Any], str]) -> list[str]:
    if column.absent is not None:
        filler = text(column.filler)
        for row in np.flatnonzero(column.absent).tolist():
            texts[row] = filler
    return texts


def _json_texts(values: Any) -> list[str]:
    if isinstance(values, DictionaryColumn):
        return _repeated(values, as_json)
    if isinstance(values, ChoicesColumn):
        return _choices(values)
    if isinstance(values, RaggedColumn):
        return [as_json(array.tolist()) for array in values.lists()]
    if isinstance(values, np.ndarray):
        return _numbers(values) if values.ndim == 1 else list(map(as_json, values.tolist()))
    kinds = set(map(type, values))
    return list(map(encode_basestring if kinds == {str} else as_json, values))


def _csv_texts(values: Any) -> list[str]:
    if isinstance(values, DictionaryColumn):
        return _repeated(values, _cell)
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return list(map(repr, values.tolist()))
    if isinstance(values, np.ndarray | ChoicesColumn | RaggedColumn):
        return [text if "," not in text else '"' + text.replace('"', '""') + '"' for text in _json_texts(values)]
    if set(map(type, values)) == {str} and not _SPECIAL & {*"".join(values)}:
        return list(values)
    return list(map(_cell, cast(Sequence[Any], values)))


def _repeated(values: DictionaryColumn, text: Callable[[Any], str]) -> list[str]:
    texts = [text(value) for value in values.values]
    if len(texts) == 1:
        return texts * len(values)
    return list(map(texts.__getitem__, values.indices.tolist()))


def _numbers(values: NDArray[Any]) -> list[str]:
    texts = _encode(values.tolist())[1:-1].split(", ") if len(values) else []
    if values.dtype.kind == "f":
        for row in np.flatnonzero(~np.isfinite(values)).tolist():
            _tell()
            texts[row] = "null"
    return texts


def _choices(values: ChoicesColumn) -> list[str]:
    places: list[list[str]] = []
    for place in range(values.indices.shape[1]):
        own = values.indices[:, place]
        heads = DictionaryColumn(own, range(int(own.max(initial=-1)) + 1))
        begin = _repeated(
            heads, lambda index: f'{{"label": {_encode(values.label(index))}, "index": {index}, "score": '
        )
        scores = _numbers(values.scores[:, place])
        places.append([f"{head}{score}}}" for head, score in zip(begin, scores, strict=True)])
    return [f"[{', '.join(row)}]" for row in zip(*places, strict=True)]


def _cell(value: Any) -> str:
    if isinstance(value, str) and not _SPECIAL & {*value}:
        return value
    if isinstance(value, list | dict):
        value = as_json(value)
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow((value, 0))  # alone, an empty cell would be quoted
    return file.getvalue()[:-3]
