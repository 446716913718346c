"""The rows in a body of `/predict`, for a model that takes rows: as JSON, one or a list; of a table also as CSV.

{"x": [0.1, 0.2], "n": 3} · [{…}, {…}] · {"rows": [{…}]} · curl -H 'Content-Type: text/csv' --data-binary @rows.csv
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from lit_infer.errors import InputError, UsageError
from lit_infer.manifest import Manifest
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.blocks import RowBlock, joined
from lit_infer.rows.fields import Fields
from lit_infer.rows.files import Wanted, csv_files
from lit_infer.server.http.v1 import arrays_of
from lit_infer.tensors import Arrays

MOST_ROWS = 65_536
_LISTS = ("rows", "instances")


_CSV = ("text/csv", "application/csv")


@dataclass(frozen=True)
class RowUpload:
    """The rows of a request, prepared."""

    arrays: Arrays
    count: int
    is_batch: bool = False
    """Whether the answer is a list, however many there are."""


def prepared(content_type: str, body: bytes, manifest: Manifest, fields: Fields) -> RowUpload:
    """The rows in a body as the graph takes them. Raises UsageError, and InputError for a row that cannot be used."""
    is_csv = content_type.partition(";")[0].strip().lower() in _CSV
    if isinstance(fields, ArrayFields):
        if is_csv:
            raise UsageError(f"{manifest.name} takes arrays, which CSV does not hold: send JSON")
        rows, is_batch = read(content_type, body)
        return RowUpload(arrays_of(rows, manifest), len(rows), is_batch)
    if is_csv:
        block, is_batch = _of_csv(body, fields), True
    else:
        rows, is_batch = read(content_type, body)
        block = fields.block(rows)
    groups, errors = fields.groups(block)
    if errors:
        first = min(errors)
        where = f"item {first}: " if is_batch else ""
        raise InputError(f"{where}{errors[first]}", code=errors[first].code)
    (group,) = groups
    order = np.argsort(group.rows)  # texts are sorted by their length
    return RowUpload(tuple(array[order] for array in group.arrays), block.count, is_batch)


def _of_csv(body: bytes, fields: Fields) -> RowBlock:
    try:
        blocks = list(csv_files.blocks(io.BytesIO(body), Wanted(fields, {}), MOST_ROWS))
    except InputError as error:
        raise UsageError(f"the CSV: {error}") from None
    if not blocks:
        raise UsageError("the CSV has no rows below its header")
    block = joined(blocks)
    _check_count(block.count)
    return block


def _check_count(count: int) -> None:
    if count > MOST_ROWS:
        raise UsageError(f"a request can have at most {MOST_ROWS:,} rows, not {count:,}")


def read(content_type: str, body: bytes) -> tuple[Sequence[Any], bool]:
    """The rows in a body of JSON, and whether they are a list. Raises UsageError."""
    accepted = 'send a row as JSON, {"name": value, …}, or several: [{…}, …]'
    if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
        raise UsageError(f"the body is a form: {accepted}")
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the body is not valid JSON ({error}): {accepted}") from None
    if isinstance(asked, dict) and len(asked) == 1 and isinstance(rows := next(iter(asked.values())), list):
        asked = rows if next(iter(asked)) in _LISTS else asked
    if isinstance(asked, dict | str):
        return [asked], False
    if not isinstance(asked, list) or not asked:
        raise UsageError(f"the body has no rows: {accepted}")
    _check_count(len(asked))
    return asked, True
