"""The rows in a body of `/predict`, for a model that takes rows: as JSON, one or a list.

{"x": [0.1, 0.2], "n": 3} · [{…}, {…}] · {"rows": [{…}]}
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from lit_infer.errors import UsageError

MOST_ROWS = 65_536
_LISTS = ("rows", "instances")


@dataclass(frozen=True)
class RowUpload:
    """The rows of a request."""

    rows: tuple[Any, ...]
    is_batch: bool = False
    """Whether the answer is a list, however many there are."""


def read(content_type: str, body: bytes) -> RowUpload:
    """The rows in a body. Raises UsageError."""
    accepted = 'send a row as JSON, {"name": value, …}, or several: [{…}, …]'
    if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
        raise UsageError(f"the body is a form: {accepted}")
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the body is not valid JSON ({error}): {accepted}") from None
    if isinstance(asked, dict) and len(asked) == 1 and isinstance(rows := next(iter(asked.values())), list):
        asked = rows if next(iter(asked)) in _LISTS else asked
    if isinstance(asked, dict):
        return RowUpload((asked,))
    if not isinstance(asked, list) or not asked:
        raise UsageError(f"the body has no rows: {accepted}")
    if len(asked) > MOST_ROWS:
        raise UsageError(f"a request can have at most {MOST_ROWS:,} rows, not {len(asked):,}")
    return RowUpload(tuple(asked), is_batch=True)
