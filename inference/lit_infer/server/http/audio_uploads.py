"""The recordings in a body of `/predict`, for a model that takes them.

--data-binary @a.wav · -F file=@a.wav -F file=@b.flac · {"audio": "<base64>"} · {"instances": ["<base64>", …]}

A name of a file is never opened: only what the body holds is read.
"""

from typing import Any

import msgspec
import numpy as np

from lit_infer.errors import InputError, UsageError
from lit_infer.rows.answering import PreparedRows
from lit_infer.rows.audio import COLUMN, AudioFields
from lit_infer.server.encoded import from_base64
from lit_infer.server.http import uploads
from lit_infer.server.http.uploads import Upload

_ACCEPTED = (
    "send the recording itself (curl --data-binary @a.wav), as a file of a form (curl -F file=@a.wav), or as JSON: "
    '{"audio": "<base64>"} or {"instances": ["<base64>", …]}'
)
MOST_RECORDINGS = 64
MOST_SAMPLES = 2**26
"""Of all recordings of a request together, as the graph takes them: 256 MiB."""
_LISTS = ("instances", "rows")
_KEYS = (COLUMN, "b64", "data")


def read(content_type: str, body: bytes) -> Upload:
    """The files in a body. Raises UsageError."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        sent = uploads.form(content_type, body, accepted=_ACCEPTED)
        _check_count(len(sent.images))
        return sent
    if kind == "application/json" or body[:64].lstrip()[:1] in (b"{", b"["):
        return _json(body)
    if not body:
        raise UsageError(f"the body is empty: {_ACCEPTED}")
    return Upload((body,))


def prepared(sent: Upload, fields: AudioFields) -> PreparedRows:
    """The recordings as the graph takes them, one decoded after the other, so that they cannot fill the memory."""
    parts, total = [], 0
    for index, data in enumerate(sent.images):
        try:
            rows = fields.prepared(data)
        except InputError as error:
            raise InputError(f"item {index}: {error}" if sent.is_batch else str(error), code=error.code) from None
        total += rows.size
        if total > MOST_SAMPLES:
            raise UsageError(f"a request can have {MOST_SAMPLES:,} samples at most: send shorter recordings, or fewer")
        parts.append(rows)
    counts = tuple(len(rows) for rows in parts) if fields.has_chunks else None
    return PreparedRows((np.concatenate(parts),), counts)


def _check_count(count: int) -> None:
    if not 0 < count <= MOST_RECORDINGS:
        raise UsageError(f"a request can have 1 to {MOST_RECORDINGS} recordings, not {count:,}")


def _json(body: bytes) -> Upload:
    try:
        asked: Any = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the body is not valid JSON ({error}): {_ACCEPTED}") from None
    if isinstance(asked, dict) and len(asked) == 1 and next(iter(asked)) in _LISTS:
        asked = next(iter(asked.values()))
    if not isinstance(asked, list):
        return Upload((_recording(asked, "the recording"),))
    _check_count(len(asked))
    return Upload(tuple(_recording(one, f"item {index}") for index, one in enumerate(asked)), is_batch=True)


def _recording(value: Any, what: str) -> bytes:
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _KEYS:
        value = next(iter(value.values()))
    if not isinstance(value, str):
        raise UsageError(f"{what} is no recording in base64: {_ACCEPTED}")
    return from_base64(value, what)
