"""API keys: read from a file or the environment, compared in constant time."""

import hmac
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from lit_infer.errors import LitError, NotFoundError, UsageError

VARIABLE = "LIT_API_KEY"


class UnauthorizedError(LitError):
    """The request carries no valid API key: HTTP 401."""

    status = 401


def read_keys(file: Path | None) -> tuple[bytes, ...]:
    """The keys in a file, one per line; without a file, the one in $LIT_API_KEY. A file without keys is an error."""
    if file is None:
        value = os.environ.get(VARIABLE, "").strip()
        return (value.encode(),) if value else ()
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        raise NotFoundError(f"no key file at {file}") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    keys = tuple(line.strip() for line in lines if line.strip() and not line.startswith(b"#"))
    if not keys:
        raise UsageError(f"{file} holds no key: write one per line")
    return keys


def check(headers: Mapping[bytes, bytes], keys: Sequence[bytes]) -> None:
    """Raise UnauthorizedError unless `Authorization: Bearer KEY` or `X-API-Key: KEY` is one of the keys."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    given = token.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
    matches = [
        hmac.compare_digest(given, key) for key in keys
    ]  # all of them, so that the time taken does not reveal which one matched
    if not any(matches):
        raise UnauthorizedError(
            "this server requires an API key: send it as Authorization: Bearer KEY or as X-API-Key: KEY"
        )
