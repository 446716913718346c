"""Fetch one file by URL, completely or not at all, bounded in size and time."""

import time
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from lit_infer import files
from lit_infer.errors import ArtifactError, LitError, MissingExtraError, NotFoundError, UsageError, require

SCHEMES = ("http", "https", "s3", "gs")
MAX_BYTES = 100 << 30
MAX_SECONDS = 6 * 3600.0
_STALL_SECONDS = 60
_CHUNK = 4 << 20


def is_url(text: str) -> bool:
    """Whether this is a URL rather than a path or a reference."""
    return "://" in text


def file_name(url: str) -> str:
    """The last part of the URL's path."""
    return urlsplit(url).path.rpartition("/")[2] or "download"


def download(url: str, folder: Path, *, max_bytes: int = MAX_BYTES, max_seconds: float = MAX_SECONDS) -> Path:
    """The file at `url`, in `folder` under its own name. Nothing is left there when it fails."""
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise UsageError(f"{url}: only {', '.join(f'{known}://' for known in SCHEMES)} can be downloaded")
    require("fsspec", extra="cloud", purpose=f"{scheme}://")
    path = folder / file_name(url)
    with files.staging_folder(folder) as staged:
        part = staged / "part"
        try:
            with _opened(url, scheme) as source, part.open("wb") as target:
                _copy(source, target, url=url, max_bytes=max_bytes, deadline=time.monotonic() + max_seconds)
        except LitError:
            raise
        except Exception as error:  # each file system has its own network errors
            raise _explained(url, error) from None
        part.replace(path)
    return path


def _opened(url: str, scheme: str) -> Any:
    import fsspec

    options: dict[str, Any] = {}
    if scheme in ("http", "https"):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, connect=_STALL_SECONDS, sock_read=_STALL_SECONDS)
        # a stream, read once from front to back: no second request that might answer with another file
        options = {"client_kwargs": {"timeout": timeout}, "block_size": 0, "skip_instance_cache": True}
    return fsspec.open(url, "rb", **options)


def _copy(source: Any, target: IO[bytes], *, url: str, max_bytes: int, deadline: float) -> None:
    expected = getattr(source, "size", None)
    if expected is not None and expected > max_bytes:
        raise ArtifactError(f"{url} has {expected:,} bytes, more than the limit of {max_bytes:,}")
    done = 0
    while chunk := source.read(_CHUNK):
        done += len(chunk)
        if done > max_bytes:
            raise ArtifactError(f"{url} has more bytes than the limit of {max_bytes:,}")
        if time.monotonic() > deadline:
            raise ArtifactError(f"{url} took too long: {done:,} bytes arrived in time. Download it with another tool")
        target.write(chunk)
    if expected is not None and done != expected:
        raise ArtifactError(f"{url} is incomplete: {done:,} of {expected:,} bytes arrived. Try again")


def _is_missing(cause: BaseException | None) -> bool:
    return cause is None or isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) == 404


def _explained(url: str, error: Exception) -> LitError:
    cause = error.__cause__  # fsspec says "not found" of a server that fails or does not answer, too
    if isinstance(error, FileNotFoundError) and _is_missing(cause):
        return NotFoundError(f"no file at {url}")
    if isinstance(error, ImportError):  # the scheme's own package
        return MissingExtraError(f'{url} needs more to be installed: pip install "lit-deploy[cloud]"')
    reason = " ".join(str(cause or error).split())[:200]
    return ArtifactError(f"{url} could not be downloaded: {type(cause or error).__name__} {reason}".strip())
