"""What a server allows and how long it waits. Everything has a limit by default."""

from dataclasses import dataclass

from lit_infer.errors import UsageError

MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """Limits of one server. Times are in seconds, sizes in bytes."""

    max_body: int = 16 * MIB
    """Of a request's body, before and after decompression."""
    max_header: int = 16 * 1024
    """Of a request line and its headers together."""
    header_timeout: float = 5.0
    """From the first byte, or from the connection's start, to the end of the headers."""
    body_timeout: float = 30.0
    """From the end of the headers to the end of the body; also for a client that does not read its answer."""
    idle_timeout: float = 75.0
    """Of a connection on which nothing is under way."""
    stream_timeout: float = 600.0
    """From a gRPC stream's message to its next one."""
    max_connections: int = 1024
    """That are served; over HTTP as many more are told that there is no room."""
    timeout: float = 10.0
    """In which an inference must have begun. A client can shorten it, not lengthen it."""
    accept_delay: float = 1.0
    """After SIGTERM: how long new connections are still taken, until load balancers have seen "not ready"."""
    next_request: float = 5.0
    """After that: for how long a client that was at work until now is believed to be sending its next request."""
    grace: float = 20.0
    """Also after that: how long what was accepted may take."""
    keys: tuple[bytes, ...] = ()
    """Any of them opens everything; none: no key is asked for. The health routes are always open."""
    explicit_control: bool = False
    """Whether clients may load and unload models."""

    def __post_init__(self) -> None:
        sizes = (self.max_body, self.max_header, self.max_connections)
        times = (self.header_timeout, self.body_timeout, self.idle_timeout, self.stream_timeout, self.timeout)
        if min(sizes) < 1 or min(times) <= 0 or min(self.accept_delay, self.next_request, self.grace) < 0:
            raise UsageError(f"a server's limits must be positive: sizes {sizes}, seconds {times}")
