"""One file from the registry's storage, through its passing faults: tried again with growing pauses, and resumed.

What is given up is a file of which nothing arrived for a minute (twice `$LIT_STALL_TIMEOUT`), whatever the reasons.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO

from lit_infer import progress
from lit_infer.artifacts.wandb_errors import answer_s
from lit_infer.errors import ArtifactError, require

_PIECE = 2**16  # what a broken connection may lose
_PASSING = frozenset({408, 416, 425, 429, 500, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_MOST_TRIES = 100


def stall_s() -> float:
    """How long a download may bring no byte: `$LIT_STALL_TIMEOUT`, else 30 seconds."""
    return float(os.environ.get("LIT_STALL_TIMEOUT") or 30)


class GivenUpError(ArtifactError):
    """The storage failed for as long as it may: trying everything again would only take as long again."""


class _PassingError(Exception):
    """Why a try ended early. `wait`: the seconds that the storage asks for."""

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass
class _Download:
    """A file that is growing."""

    url: str
    file: BinaryIO
    size: int
    told: Callable[[int], None]
    tag: str | None = None
    """The storage's mark of these very bytes, if it gives one: what is resumed must have the same."""
    done: int = 0
    moved: float = 0.0
    """When the last byte arrived."""

    def restart(self) -> None:
        """Begin again from the first byte."""
        self.file.seek(0)
        self.file.truncate()
        self.done, self.tag = 0, None


def bring(url: str, path: Path, size: int, *, subject: str, told: Callable[[int], None]) -> None:
    """Download a file of a known size. Raises ArtifactError, or GivenUpError after the last try."""
    where = f"{subject}: {path.name}"
    with path.open("xb") as file:
        download = _Download(url, file, size, told, moved=time.monotonic())
        fails = 0  # since the last byte
        for number in range(1, _MOST_TRIES + 1):
            before = download.done
            try:
                _try(download, where)
                break
            except _PassingError as fault:
                fails = 0 if download.done > before else fails + 1
                pause = max(fault.wait, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**fails))
                left = download.moved + 2 * stall_s() - time.monotonic()
                if pause > left or number == _MOST_TRIES:
                    asked = f"; the storage asks to wait {fault.wait:,.0f} s" if fault.wait > max(0.0, left) else ""
                    raise GivenUpError(f"{where}{fault}, on try {number}{asked}. Try again later") from None
                progress.note(f"{where}{fault}; try {number + 1} in {pause:.1f} s, from byte {download.done:,}")
                time.sleep(pause)


def _try(download: _Download, where: str) -> None:
    requests = require("requests", extra="wandb", purpose="fetching from W&B")
    try:
        with requests.get(
            download.url, headers=_headers(download), stream=True, timeout=(answer_s(), stall_s())
        ) as answer:
            _check(answer, download, where)
            for piece in answer.iter_content(_PIECE):
                download.done += len(piece)
                if download.done > download.size:
                    raise ArtifactError(f"{where} has more bytes where {download.size:,} were logged")
                download.file.write(piece)
                download.moved = time.monotonic()
                download.told(download.done)
    except requests.RequestException as error:
        reason = f": {_reason(error)}, after {download.done:,} of {download.size:,} bytes"
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
            raise ArtifactError(where + reason) from None
        raise _PassingError(reason) from None
    if download.done < download.size:
        raise _PassingError(f" has {download.done:,} bytes where {download.size:,} were logged")


def _headers(download: _Download) -> dict[str, str]:
    """Compressed, the bytes could not be counted."""
    headers = {"Accept-Encoding": "identity"}
    if download.done:
        headers["Range"] = f"bytes={download.done}-"
        if download.tag:
            headers["If-Range"] = download.tag
    return headers


def _check(answer: Any, download: _Download, where: str) -> None:
    """Whether what follows is the file, from the byte that was asked for."""
    status = answer.status_code
    if status in _PASSING:
        if status == 416:
            download.restart()
        raise _PassingError(f": HTTP {status} from the storage", wait=_asked_for(answer.headers.get("Retry-After")))
    if status >= 400:
        raise ArtifactError(f"{where}: HTTP {status} from the storage")
    if status == 206 and not _continues(answer, download):
        download.restart()
        raise _PassingError(": the storage answered with another part of the file than was asked for")
    if status != 206 and download.done:
        download.restart()  # it gives no parts, or the file has changed
    download.tag = answer.headers.get("ETag")


def _continues(answer: Any, download: _Download) -> bool:
    said = str(answer.headers.get("Content-Range", ""))
    tag = answer.headers.get("ETag")
    is_same = tag is None or download.tag is None or tag == download.tag
    return bool(is_same) and said.startswith(f"bytes {download.done}-") and said.endswith((f"/{download.size}", "/*"))


def _asked_for(text: str | None) -> float:
    """The seconds of a Retry-After, which is a number or a date; 0 for anything else."""
    if text is None:
        return 0.0
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a zone
        return 0.0


def _reason(error: Exception) -> str:
    if "timed out" in str(error):  # requests calls it a ConnectionError where the body had begun
        return f"nothing arrived for {stall_s():g} s"
    return "the connection broke" if type(error).__name__ in ("ConnectionError", "ChunkedEncodingError") else str(error)
