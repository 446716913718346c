"""The images in a body of `/predict`, in each way that people send them; what is ambiguous is said, not guessed.

--data-binary @cat.jpg · -F file=@cat.jpg -F file=@dog.jpg · {"image": "<base64>"} · {"instances": [...]} · a data URL
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lit_infer.errors import UsageError
from lit_infer.server.encoded import from_base64
from lit_infer.server.models.packed import packed

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


def read_several(content_type: str, body: bytes, names: Sequence[str]) -> Upload:
    """Several images for each answer, which have these names: each of the upload's is `packed`. Raises UsageError."""
    accepted = _accepted(names)
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _form_of_several(_parts(content_type, body, accepted), names, accepted)
    if kind != "application/json" and body[:64].lstrip()[:1] not in (b"{", b"["):
        raise UsageError(f"the model takes {len(names)} images for each answer: {accepted}")
    asked = _decoded(body, accepted)
    items = asked.get("instances") if isinstance(asked, dict) and set(asked) == {"instances"} else None
    if items is None:
        return Upload((of_several(asked, names, "the JSON"),))
    if not isinstance(items, list) or not 0 < len(items) <= MOST_IMAGES // len(names):
        raise UsageError(f"instances are a list of at most {MOST_IMAGES // len(names):,}: {accepted}")
    found = (of_several(one, names, f"instances[{index}]") for index, one in enumerate(items))
    return Upload(tuple(found), is_batch=True)


def _accepted(names: Sequence[str]) -> str:
    """How several images are sent."""
    form = " ".join(f"-F {name}=@{name}.jpg" for name in names)
    plain = ", ".join(f'"{name}": "<base64>"' for name in names)
    return (
        f"send {' and '.join(names)} as files of a form (curl {form}), or as JSON: {{{plain}}}, or a list of these as "
        '"instances"'
    )


def of_several(value: Any, names: Sequence[str], what: str) -> bytes:
    """The images of an object of JSON, packed. Raises UsageError."""
    if not isinstance(value, dict) or set(value) != set(names):
        found = ", ".join(map(str, value))[:100] if isinstance(value, dict) else type(value).__name__
        raise UsageError(f"{what} has {found or 'nothing'}: {_accepted(names)}")
    return packed([instance(value[name], f"{what}: {name}") for name in names])


def _form_of_several(files: Sequence[tuple[str, str, bytes]], names: Sequence[str], accepted: str) -> Upload:
    """The first file of each name belong together, then the second ones."""
    by_name: dict[str, list[bytes]] = {name: [] for name in names}
    for field, _, data in files:
        if field not in by_name:
            raise UsageError(f"the form has a file called {field[:50]!r}: {accepted}")
        by_name[field].append(data)
    counts = {len(some) for some in by_name.values()}
    if len(counts) > 1:
        said = ", ".join(f"{len(some)} of {name}" for name, some in by_name.items())
        raise UsageError(f"the form has {said}: {accepted}")
    items = tuple(packed(parts) for parts in zip(*by_name.values(), strict=True))
    return Upload(items, is_batch=len(items) > 1)


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
    files = _parts(content_type, body, accepted)
    return Upload(tuple(data for _, _, data in files), tuple(name for _, name, _ in files), is_batch=len(files) > 1)


def _parts(content_type: str, body: bytes, accepted: str) -> list[tuple[str, str, bytes]]:
    """The files of a form: the names of their fields and their own, and their bytes."""
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
    return files


def _file(part: bytes) -> tuple[str, str, bytes]:
    head, _, data = part.partition(b"\r\n\r\n")
    said = {name.lower(): value for name, value in _PARAMETER.findall(head)}
    field = said.get(b"name", b"").decode("utf-8", "replace")
    if b"filename" not in said:
        raise UsageError(f"the form's field {field[:50]!r} is no file; options go into the query, as in ?top_k=3")
    return field, said[b"filename"].decode("utf-8", "replace"), data


def _decoded(body: bytes, accepted: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the body is not valid JSON ({error}): {accepted}") from None


def _json(body: bytes) -> Upload:
    asked = _decoded(body, _ACCEPTED)
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
