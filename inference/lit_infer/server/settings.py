"""What a server allows and how long it waits. Everything is limited by default."""

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
    explicit_control: bool = False
    """Whether clients may load and unload models."""

    def __post_init__(self) -> None:
        sizes = (self.max_body, self.max_header, self.max_connections)
        times = (self.header_timeout, self.body_timeout, self.idle_timeout, self.stream_timeout, self.timeout)
        if min(sizes) < 1 or min(times) <= 0 or min(self.accept_delay, self.next_request, self.grace) < 0:
            raise UsageError(f"a server's limits must be positive: sizes {sizes}, seconds {times}")
