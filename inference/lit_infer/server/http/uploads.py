"""The images in a body of `/predict`, in each way that people send them; what is ambiguous is said, not guessed.

--data-binary @cat.jpg · -F file=@cat.jpg -F file=@dog.jpg · {"image": "<base64>"} · {"instances": [...]} · a data URL
"""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from lit_infer.errors import UsageError
from lit_infer.server.encoded import from_base64

_ACCEPTED = (
    "send the image itself (curl --data-binary @cat.jpg), as a file of a form (curl -F file=@cat.jpg), or as JSON: "
    '{"image": "<base64>"} or {"instances": ["<base64>", …]}'
)
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_PARAMETER = re.compile(rb'[;\s](filename|name)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_MAGIC = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*", b"MM")
_KEYS = ("image", "b64", "image_bytes", "data")
MOST_IMAGES = 4096


@dataclass(frozen=True)
class Upload:
    """The images of a request."""

    images: tuple[bytes, ...]
    names: tuple[str, ...] = ()
    """The files' names, if they were sent."""
    is_batch: bool = False
    """Whether the answer is a list, however many there are."""


def read(content_type: str, body: bytes) -> Upload:
    """The images in a body. Raises UsageError."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return form(content_type, body)
    if kind == "application/json" or body[:64].lstrip()[:1] in (b"{", b"["):
        return _json(body)
    if kind == "application/x-www-form-urlencoded" and _is_stripped(body):
        raise UsageError(f"curl -d removes line ends and zero bytes from a file: {_ACCEPTED}")
    if kind == "application/x-www-form-urlencoded" and body[:1].isalpha() and not body.startswith((*_MAGIC, b"data:")):
        raise UsageError(f"the body is a form without a file: {_ACCEPTED}")
    if body[:5].lower() == b"data:":
        return Upload((from_base64(body.decode("latin-1"), "the body"),))
    return Upload((body,))


def _is_stripped(body: bytes) -> bool:
    """Whether it is an image without the bytes that each has: zeros or line ends."""
    return body.startswith(_MAGIC) and not any(byte in body for byte in (b"\0", b"\r", b"\n"))


def form(content_type: str, body: bytes, *, accepted: str = _ACCEPTED) -> Upload:
    """The files of a form. Raises UsageError, which says what is `accepted`."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise UsageError("multipart/form-data needs a boundary in its Content-Type")
    border = b"\r\n--" + (found[1] or found[2]).encode()
    first, *parts = (b"\r\n" + body).split(border, MOST_IMAGES + 2)
    if first.strip() or not parts or not parts[-1].startswith(b"--"):
        raise UsageError("the form is cut off, or its boundary is not the one in its Content-Type")
    files = [_file(part) for part in parts[:-1]]
    if not files:
        raise UsageError(f"the form has no file: {accepted}")
    names = tuple(name for name, _ in files)
    return Upload(tuple(data for _, data in files), names, is_batch=len(files) > 1)


def _file(part: bytes) -> tuple[str, bytes]:
    head, _, data = part.partition(b"\r\n\r\n")
    said = {name.lower(): value for name, value in _PARAMETER.findall(head)}
    if b"filename" not in said:
        field = said.get(b"name", b"").decode("utf-8", "replace")[:50]
        raise UsageError(f"the form's field {field!r} is no file; options go into the query, as in ?top_k=3")
    return said[b"filename"].decode("utf-8", "replace"), data


def _json(body: bytes) -> Upload:
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the body is not valid JSON ({error}): {_ACCEPTED}") from None
    if not isinstance(asked, dict) or len(asked) != 1:
        keys = ", ".join(map(str, asked))[:100] if isinstance(asked, dict) else type(asked).__name__
        raise UsageError(f"the JSON has {keys or 'nothing'}: {_ACCEPTED}")
    ((key, value),) = asked.items()
    if key == "inputs":
        raise UsageError("the JSON is a request of the protocol: POST it to /v2/models/NAME/infer")
    if key in ("instances", "images") and isinstance(value, list) and 0 < len(value) <= MOST_IMAGES:
        return Upload(tuple(instance(one, f"{key}[{i}]") for i, one in enumerate(value)), is_batch=True)
    return Upload((instance(asked, "the image"),))


def instance(value: Any, what: str) -> bytes:
    """The image in an element of JSON: base64, or an object with it. Raises UsageError."""
    where = what
    for _ in range(3):
        if isinstance(value, str):
            return from_base64(value, where)
        if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in _KEYS:
            break
        ((key, value),) = value.items()
        where = f"{what}: {key}"
    raise UsageError(f"{what} is not an image in base64: {_ACCEPTED}")
