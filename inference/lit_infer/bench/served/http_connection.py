"""A persistent HTTP/1.1 connection by the standard library, without Nagle's delay, and how one can fail."""

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from lit_infer.bench.served.address import Address
from lit_infer.bench.served.client import IDLE_S, TIMEOUT_S, refusal
from lit_infer.errors import EngineError, LitError, UsageError

LIVE = "/v2/health/live"
LENGTH = "Inference-Header-Content-Length"
_MOST = 2**30  # bytes of an answer


@dataclass(frozen=True, slots=True)
class Packed:
    """A request, ready to be sent."""

    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer of status 200."""

    body: bytes
    header_length: int | None
    """Bytes of JSON before the binary part."""


class HttpConnection:
    """A persistent connection."""

    def __init__(self, address: Address, headers: Mapping[str, str], tls: ssl.SSLContext | None) -> None:
        self._address, self._headers = address, headers
        # Both set TCP_NODELAY themselves.
        self._http = (
            http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT_S)
            if tls is None
            else http.client.HTTPSConnection(address.host, address.port, timeout=TIMEOUT_S, context=tls)
        )
        self._used = 0.0

    def live(self) -> None:
        """`GET /v2/health/live`."""
        self.ask("GET", LIVE)

    def infer(self, packed: Packed) -> HttpAnswer:
        """`POST .../infer`."""
        return self.ask("POST", packed.path, packed.body, packed.headers)

    def wake(self) -> None:
        """Connect again if the server may have hung up meanwhile."""
        if time.monotonic() - self._used > IDLE_S:
            self._http.close()
            try:
                self._http.connect()
            except OSError as error:
                raise broken(self._address, error) from None
            self._used = time.monotonic()

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """One request. Raises what `refusal` makes of any status but 200, and EngineError if the connection breaks."""
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it had read all
                self._http.request(method, path, body, headers or self._headers)
            response = self._http.getresponse()
            answer = _read(response)
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            raise broken(self._address, error) from None
        self._used = time.monotonic()
        if response.status != 200:
            raise refusal(self._address, response.status, _said(answer))
        length = response.getheader(LENGTH, "")
        return HttpAnswer(answer, int(length) if length.isdecimal() and len(length) < 12 else None)


def _read(response: http.client.HTTPResponse) -> bytes:
    """The body. `read` is called without a number, with which it would not notice a body that is cut short."""
    if response.length is None:
        return response.read(_MOST)
    if response.length > _MOST:
        raise http.client.HTTPException(f"an answer of {response.length:,} bytes")
    return response.read()


_HUNG_UP = "{address} hung up: is it stopping, or does this port expect TLS?"
# The first match counts; subclasses come before what they inherit from.
_BROKEN: tuple[tuple[type[Exception], type[LitError], str], ...] = (
    (ConnectionRefusedError, EngineError, "nothing listens at {address}: start lit-serve, or check --url"),
    (socket.gaierror, UsageError, "{address}: there is no host with this name"),
    (ssl.SSLCertVerificationError, UsageError, "{address}: its certificate is not trusted ({error}): give --ca FILE"),
    (ssl.SSLError, UsageError, "{address} does not accept this client's TLS; without TLS, write http://"),
    (TimeoutError, EngineError, "{address} gave no answer within {timeout:g} s"),
    (ConnectionError, EngineError, _HUNG_UP),
    (http.client.ImproperConnectionState, EngineError, _HUNG_UP),  # before the request was sent
    (http.client.BadStatusLine, UsageError, "{address} does not speak HTTP/1.1; the gRPC port is grpc://"),
    (Exception, EngineError, "{address}: {error!r}"),
)


def broken(address: Address, error: Exception) -> LitError:
    """What a connection that failed means, in one line."""
    kind, text = next((kind, text) for cause, kind, text in _BROKEN if isinstance(error, cause))
    said = getattr(error, "verify_message", error)
    return kind(text.format(address=address, error=said, timeout=TIMEOUT_S))


class _Error(msgspec.Struct):
    error: str


def _said(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Error).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
