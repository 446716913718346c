"""The address of a server, from `--url`."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from lit_infer.errors import UsageError

Protocol = Literal["http", "grpc"]

_SCHEMES: dict[str, tuple[Protocol, bool, int | None]] = {
    "http": ("http", False, 80),
    "https": ("http", True, 443),
    "grpc": ("grpc", False, None),
    "grpcs": ("grpc", True, None),
}
"""The protocol, whether there is TLS, and the port if none is given."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Address:
    """A server's port."""

    url: str
    """scheme://host:port."""
    protocol: Protocol
    host: str
    port: int
    tls: bool

    @property
    def netloc(self) -> str:
        """host:port, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return self.host in _LOOPBACK

    def __str__(self) -> str:
        return self.url


def parse(text: str) -> Address:
    """`http://host:8000`, `https://...`, `grpc://host:8001` or `grpcs://...`, and nothing after that."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--url {text!r}: {error}") from None
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise UsageError(
            f"--url {text!r}: expected http://host:8000 or grpc://host:8001 (with TLS https:// or grpcs://)"
        )
    if _has_more(parts):
        raise UsageError(f"--url {text!r}: give scheme, host and port only; the model is --model, a key --api-key-file")
    protocol, tls, usual = _SCHEMES[parts.scheme]
    port = port or usual
    if port is None:
        raise UsageError(f"--url {text!r}: give the port, as in grpc://{parts.hostname}:8001")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(f"{parts.scheme}://{host}:{port}", protocol, parts.hostname, port, tls)


def _has_more(parts: SplitResult) -> bool:
    return parts.path not in ("", "/") or bool(parts.query or parts.fragment or parts.username or parts.password)
