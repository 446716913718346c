"""Errors that HTTP and gRPC share, and what a client is told about any error.

LitError
├── UnsupportedError   part of the protocol that is not here   HTTP 501 · UNIMPLEMENTED
├── ClientGoneError    nobody waits for the answer any more    HTTP 499 · CANCELLED
├── UnauthorizedError  no valid key (auth)                     HTTP 401 · UNAUTHENTICATED
├── TooLargeError      a body above the limit (http.bodies)    HTTP 413
└── SlowError          a message came too late (grpc.call)     HTTP 408 · DEADLINE_EXCEEDED
"""

from lit_infer.errors import ExpiredError, InputError, LitError, OverloadedError

_LONGEST = 600  # characters: a message may quote what the client sent, but not all of it


class UnsupportedError(LitError):
    """A part of the protocol that this server does not implement: HTTP 501."""

    status = 501


class ClientGoneError(LitError):
    """The client disconnected before it was answered: HTTP 499, which only the log shows."""

    status = 499


def short_of_memory() -> OverloadedError:
    """The error of a request for which there was not enough memory."""
    return OverloadedError("there is not enough memory for this request now: try again later, or send less")


def status_of(error: Exception) -> int:
    """The HTTP status that the protocol has for an error."""
    if isinstance(error, ExpiredError | MemoryError):
        return 503  # the protocol has no closer status than "unavailable"
    if isinstance(error, InputError):
        return 400
    return error.status if isinstance(error, LitError) else 500


def text_of(error: Exception, request_id: str) -> str:
    """The message for the client. For an unexpected error, only where to find it in the log."""
    if isinstance(error, LitError):
        return str(error)[:_LONGEST]
    if isinstance(error, MemoryError):
        return str(short_of_memory())
    return f"internal error; the server's log has it as request {request_id}"
