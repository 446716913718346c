"""What a server allows and how long it waits. Everything is limited by default."""

import re
from dataclasses import dataclass

from lit_infer.errors import UsageError

MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """Limits of one server. Times are in seconds, sizes in bytes."""

    max_body: int = 16 * MIB
    """Of a request's body, both before and after decompression."""
    max_header: int = 16 * 1024
    """Of the request line and the headers together."""
    header_timeout: float = 5.0
    """From the first byte, or the start of the connection, to the end of the headers."""
    body_timeout: float = 30.0
    """From the end of the headers to the end of the body; also how long a client may leave its answer unread."""
    idle_timeout: float = 75.0
    """Of a connection without a request."""
    stream_timeout: float = 600.0
    """From one message of a gRPC stream to the next."""
    max_connections: int = 1024
    """Connections that are served. Over HTTP, as many again are told that the server is full."""
    max_unread: int = 256 * MIB
    """Of answers that clients have not read, over all connections. Above it, those with the most are closed."""
    timeout: float = 10.0
    """The time within which inference must begin. A client can shorten it, but not extend it."""
    accept_delay: float = 1.0
    """After SIGTERM: how long new connections are still accepted, so that load balancers can notice "not ready"."""
    next_request: float = 5.0
    """After that: how long to wait for the next request of a client that was active until now."""
    grace: float = 20.0
    """Also after that: how long accepted requests may still take."""
    keys: tuple[bytes, ...] = ()
    """Each of them grants access to everything; without any, no key is required. Health routes never need one."""
    root_path: str = ""
    """A prefix of paths that a proxy in front adds, and may or may not remove again."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may send requests; "*" is any."""
    explicit_control: bool = False
    """Whether clients may load and unload models."""

    def __post_init__(self) -> None:
        sizes = (self.max_body, self.max_header, self.max_connections, self.max_unread)
        times = (self.header_timeout, self.body_timeout, self.idle_timeout, self.stream_timeout, self.timeout)
        if self.root_path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", self.root_path):
            raise UsageError(f"--root-path {self.root_path!r}: write a path without a slash at its end, as in /models")
        for origin in self.cors_origins:
            if not re.fullmatch(r"\*|https?://[^/\s]+", origin):
                raise UsageError(f"--cors-origin {origin!r}: write an origin as in https://app.example.org, or *")
        if min(sizes) < 1 or min(times) <= 0 or min(self.accept_delay, self.next_request, self.grace) < 0:
            raise UsageError(f"a server's limits must be positive: sizes {sizes}, seconds {times}")
