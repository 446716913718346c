"""Errors that all protocols of the server share, and what a client is told of any error."""

from lit_infer.errors import ExpiredError, InputError, LitError

_LONGEST = 600  # characters: what a client sent may be quoted, not repeated to it in full


class UnsupportedError(LitError):
    """A part of the protocol that this server does not have: HTTP 501."""

    status = 501


class ClientGoneError(LitError):
    """The client left before its answer was there. Nobody reads the status; the log shows it."""

    status = 499


def status_of(error: Exception) -> int:
    """The HTTP status that the protocol has for an error."""
    if isinstance(error, ExpiredError):
        return 503  # the protocol has no word for it but "unavailable"
    if isinstance(error, InputError):
        return 400
    return error.status if isinstance(error, LitError) else 500


def text_of(error: Exception, request_id: str) -> str:
    """What the client is told. Of an error that nobody meant to raise, nothing but where to look."""
    if isinstance(error, LitError):
        return str(error)[:_LONGEST]
    return f"internal error; the server's log has it as request {request_id}"
