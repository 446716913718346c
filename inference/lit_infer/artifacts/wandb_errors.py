"""What the wandb client raises, as one of our errors that says what to do."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from lit_infer.artifacts.wandb_mode import base_url
from lit_infer.errors import ArtifactError, LitError, NotFoundError, UsageError

_NO_ANSWER = re.compile(
    r"did not respond|timed? ?out|timeout|refused|no such host|unreachable|deadline exceeded|reset by peer|giving up|"
    r"EOF|lookup |status 5\d\d|\b50[0-4]\b",
    re.IGNORECASE,
)
_NO_PERMISSION = re.compile(r"permission|forbidden|\b403\b", re.IGNORECASE)
_ADDRESS = re.compile(r"\w+://\S+")

_CLIENTS = ("wandb", "requests", "urllib3")
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)  # pydantic's and json's errors are ValueErrors


def answer_s() -> float:
    """How long W&B may take to answer a small request: `$WANDB_HTTP_TIMEOUT`, else 10 seconds."""
    return float(os.environ.get("WANDB_HTTP_TIMEOUT") or 10)


@contextmanager
def explained(subject: str) -> Iterator[None]:
    """Turn what wandb raises about a reference into one line with what to do."""
    try:
        yield
    except LitError:
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] in _CLIENTS or isinstance(error, ConnectionError | TimeoutError):
            raise _translated(error, subject) from None
        if isinstance(error, _UNREADABLE):
            raise _not_understood(error, subject) from None
        raise


def _translated(error: Exception, subject: str) -> LitError:
    url, kind, said = base_url(), type(error).__name__, str(error).strip().partition("\n")[0]
    if kind == "UsageError":
        return no_key()
    reason = _ADDRESS.sub("", said)  # a port may be 50300, a project may be called timeout
    if _NO_ANSWER.search(reason):
        return ArtifactError(f"{subject}: W&B at {url} {_why_no_answer(url)}. WANDB_MODE=offline works without it")
    if kind == "AuthenticationError":
        return UsageError(
            f"W&B at {url} refuses this API key ({said}). Check WANDB_API_KEY, or run: wandb login --relogin"
        )
    if _NO_PERMISSION.search(reason):
        return UsageError(
            f"{subject}: this account has no write access, says W&B at {url}. Name an entity where it has"
        )
    if re.search(r"project '.*' not found", said):
        return no_project(subject)
    return ArtifactError(f"{subject}: W&B at {url} says: {said}")


def _not_understood(error: Exception, subject: str) -> ArtifactError:
    """The server answered, but not in the form that this version of the client expects."""
    said = str(error).strip().partition("\n")[0]
    hint = "another version of wandb may read it: pip install -U wandb"
    return ArtifactError(f"{subject}: the answer of W&B at {base_url()} could not be understood ({said}); {hint}")


def no_project(subject: str) -> NotFoundError:
    """It does not exist, or is private: W&B does not say which."""
    return NotFoundError(
        f"{subject}: W&B at {base_url()} has no such project that this account may see; check its spelling"
    )


def no_key() -> UsageError:
    """There are no credentials at all."""
    return UsageError(f"no API key for W&B at {base_url()}. Set WANDB_API_KEY, run wandb login, or WANDB_MODE=offline")


def _why_no_answer(url: str) -> str:
    """wandb only says that its own service was busy; a connection of our own tells more."""
    parts = urlsplit(url)
    try:
        socket.create_connection(
            (parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)), 3
        ).close()
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"
    return f"did not answer properly within {answer_s():g} s"
