"""Images at a URL that fsspec understands: s3://, gs://, memory://, file://, …"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from lit_infer.errors import InputError, MissingExtraError, NotFoundError, UsageError, require
from lit_infer.folder import search
from lit_infer.folder.skipped import Skipped
from lit_infer.images import SUFFIXES


def is_url(text: str) -> bool:
    """Whether a path is a URL, for fsspec."""
    return "://" in text


@dataclass(frozen=True, slots=True)
class Remote:
    """A file at a URL; threads may read several at once."""

    url: str

    def read(self, limit: int) -> bytes:
        """Its bytes. Raises InputError if there are more than `limit`, or if it cannot be read."""
        try:
            with open_url(self.url) as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            raise InputError("no such file", code="not_found") from None
        except (MissingExtraError, UsageError) as error:
            raise InputError(str(error), code="unreadable") from None
        except Exception as error:  # each service has its own error classes
            raise InputError(f"cannot be read: {_reason(error)}", code="unreadable") from None
        if len(data) > limit:
            raise InputError(f"more than {limit:,} bytes", code="too_many_bytes")
        return data


def open_url(url: str) -> IO[bytes]:
    """Open a URL for reading, as bytes."""
    files, path = _filesystem(url)
    opened: IO[bytes] = files.open(path, "rb")
    return opened


def is_folder(url: str) -> bool:
    """Whether a URL names a folder (a prefix). Raises NotFoundError if nothing is there."""
    files, path = _filesystem(url)
    try:
        return str(files.info(path)["type"]) == "directory"
    except FileNotFoundError:
        raise NotFoundError(f"there is nothing at {url}") from None
    except Exception as error:
        raise UsageError(f"cannot reach {url}: {_reason(error)}") from None


def listing(url: str, skipped: Skipped | None = None, suffixes: frozenset[str] = SUFFIXES) -> Iterator[str]:
    """The URLs of the images below a URL, sorted within each folder, or of those that match its glob.

    What is no image is counted in `skipped`.
    """
    files, path = _filesystem(url)
    try:
        found = sorted(files.glob(path)) if search.MAGIC & set(path) else _below(files, path)
        for name in found:
            if search.is_image(name, suffixes):
                yield str(files.unstrip_protocol(name))
            elif skipped is not None:
                skipped.add(name)
    except Exception as error:
        raise UsageError(f"cannot list {url}: {_reason(error)}") from None


def _below(files: Any, folder: str) -> Iterator[str]:
    for entry in sorted(files.ls(folder, detail=True), key=lambda entry: str(entry["name"])):
        name = str(entry["name"]).rstrip("/")
        if name.rpartition("/")[2].startswith(".") or name == folder.rstrip("/"):
            continue
        if entry["type"] == "directory":
            yield from _below(files, name)
        else:
            yield name


def _filesystem(url: str) -> tuple[Any, str]:
    fsspec = require("fsspec", extra="cloud", purpose=f"Reading {url}")
    try:
        files, path = fsspec.core.url_to_fs(url)
    except ImportError:
        protocol = url.partition("://")[0]
        raise MissingExtraError(
            f'{protocol}:// needs a package that is not installed. Run: pip install "lit-deploy[cloud]"'
        ) from None
    except ValueError as error:
        raise UsageError(f"{url}: {_reason(error)}") from None
    return files, path


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
