"""The rows in a body of `/predict`, for a model that takes rows: as JSON, one or a list; also as CSV or Parquet.

{"x": [0.1, 0.2], "n": 3} · [{…}, {…}] · {"rows": [{…}]} · curl -H 'Content-Type: text/csv' --data-binary @rows.csv
"""

import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lit_infer.errors import InputError, MissingExtraError, UsageError
from lit_infer.manifest import Manifest
from lit_infer.rows.answering import PreparedRows, prepared_together
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.blocks import RowBlock, joined
from lit_infer.rows.fields import Fields
from lit_infer.rows.files import Wanted, arrow, csv_files
from lit_infer.server.http import audio_uploads
from lit_infer.server.http.v1 import arrays_of

MOST_ROWS = 65_536
_LISTS = ("rows", "instances")


_CSV = ("text/csv", "application/csv")
_PARQUET = ("application/vnd.apache.parquet", "application/x-parquet", "application/parquet")


@dataclass(frozen=True)
class RowUpload:
    """The rows of a request, prepared."""

    parts: Sequence[tuple[Sequence[int], PreparedRows]]
    """What is run together, and where it is among the rows: all of them, but where arrays have different shapes."""
    count: int
    is_batch: bool = False
    """Whether the answer is a list, however many there are."""
    names: tuple[str, ...] = ()
    """The files' names, if they were sent."""


def prepared(content_type: str, body: bytes, manifest: Manifest, fields: Fields) -> RowUpload:
    """The rows in a body as the graph takes them. Raises UsageError, and InputError for a row that cannot be used."""
    kind = content_type.partition(";")[0].strip().lower()
    if isinstance(fields, ArrayFields):
        if kind in _CSV:
            raise UsageError(f"{manifest.name} takes arrays, which CSV does not hold: send JSON or Parquet")
        if kind not in _PARQUET:
            rows, is_batch = read(content_type, body)
            return RowUpload(_by_shape(rows, manifest, fields), len(rows), is_batch)
    if isinstance(fields, AudioFields):
        sent = audio_uploads.read(content_type, body)
        count = len(sent.images)
        return RowUpload([(range(count), audio_uploads.prepared(sent, fields))], count, sent.is_batch, sent.names)
    if kind in (*_CSV, *_PARQUET):
        block, is_batch = _of_file(kind, body, fields), True
    else:
        rows, is_batch = read(content_type, body)
        block = fields.block(rows)
    made = prepared_together(block, fields, named=is_batch)
    return RowUpload([(range(block.count), made)], block.count, is_batch)


def _by_shape(rows: Sequence[Any], manifest: Manifest, fields: ArrayFields) -> list[tuple[Sequence[int], PreparedRows]]:
    """Rows of plain numbers, those of one shape together: nothing is padded."""
    together: dict[tuple[tuple[int, ...], ...], list[int]] = defaultdict(list)
    if len(rows) > 1 and fields.is_ragged and _have_names(rows, fields):
        for index, row in enumerate(rows):
            values = [row[name] for name in fields.names] if isinstance(row, dict) else [row]
            together[tuple(map(_sides, values))].append(index)
    if len(together) < 2:
        return [(range(len(rows)), PreparedRows(arrays_of(rows, manifest)))]
    return [(own, PreparedRows(arrays_of([rows[one] for one in own], manifest))) for own in together.values()]


def _have_names(rows: Sequence[Any], fields: ArrayFields) -> bool:
    """Whether each row has what the model takes; else it is all of them that are refused, by their own numbers."""
    if len(fields.names) == 1 and not any(isinstance(row, dict) for row in rows):
        return True
    return all(isinstance(row, dict) and set(row) == set(fields.names) for row in rows)


def _sides(value: Any) -> tuple[int, ...]:
    """The lengths of nested lists, by the first of each."""
    found: list[int] = []
    while isinstance(value, list):
        found.append(len(value))
        value = value[0] if value else None
    return tuple(found)


def _of_file(kind: str, body: bytes, fields: Fields) -> RowBlock:
    name, wanted = "CSV" if kind in _CSV else "Parquet", Wanted(fields, {})
    try:
        if kind in _CSV:
            blocks = list(csv_files.blocks(io.BytesIO(body), wanted, MOST_ROWS))
        else:
            blocks = list(arrow.parquet_body(body, wanted, most_rows=MOST_ROWS))
    except InputError as error:
        raise UsageError(f"the {name}: {error}") from None
    except MissingExtraError:
        raise UsageError("this server cannot read Parquet: install lit-deploy[parquet] there, or send CSV") from None
    if not blocks:
        raise UsageError(f"the {name} has no rows" + (" below its header" if kind in _CSV else ""))
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
