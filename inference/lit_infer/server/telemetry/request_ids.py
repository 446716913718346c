"""The ids of requests in the log, in traces and in answers."""

import itertools
import os
import re
from collections.abc import Iterable

_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class RequestIds:
    """Takes the ids that clients send, and makes up the others."""

    def __init__(self) -> None:
        self._prefix = os.urandom(4).hex()
        self._numbers = itertools.count(1)

    def of(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The client's X-Request-ID if it is well-formed, otherwise a new one."""
        for name, value in headers:
            if name == b"x-request-id" and _ID.fullmatch(value):
                return bytes(value)
        return f"{self._prefix}-{next(self._numbers)}".encode()
