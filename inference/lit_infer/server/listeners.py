"""The addresses that clients connect to: bound before models are opened, listened on afterwards."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from lit_infer.errors import UsageError


@dataclass(frozen=True)
class Tls:
    """The files for TLS, in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Listeners:
    """Bound sockets, on which nobody listens yet."""

    http: socket.socket
    grpc: socket.socket | None = None
    tls: Tls | None = None
    path: Path | None = None
    """Of HTTP's unix socket, if it is one."""

    def remove(self) -> None:
        """Remove the unix socket's file, so that nobody waits at it."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    @property
    def http_address(self) -> str:
        """The URL."""
        if self.path is not None:
            return f"unix:{self.path}"
        return f"{'https' if self.tls else 'http'}://{_address(self.http)}"

    @property
    def grpc_address(self) -> str:
        """Host and port."""
        return _address(self.grpc) if self.grpc else ""


def open_listeners(
    host: str, port: int, grpc_port: int | None, *, tls: Tls | None = None, uds: Path | None = None
) -> Listeners:
    """Bind the addresses. `grpc_port` None: no gRPC; `uds`: HTTP listens there instead. Raises UsageError."""
    http = bind(host, port) if uds is None else bind_unix(uds)
    try:
        grpc = None if grpc_port is None else bind(host, grpc_port, option="--grpc-port")
    except UsageError:
        http.close()
        raise
    return Listeners(http, grpc, tls, uds)


def bind_unix(path: Path) -> socket.socket:
    """Bind a unix socket. One that a server has left behind is replaced; any other file is not. Raises UsageError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            if sock.connect_ex(str(path)) == 0:
                raise UsageError(f"cannot listen on {path}: another server does. --uds takes another path")
            path.unlink()
            sock.close()
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        raise UsageError(f"cannot listen on {path}: {reason}. --uds takes the path of a new file") from None
    except UsageError:
        sock.close()
        raise
    sock.set_inheritable(True)
    return sock


def plain_host(host: str) -> str:
    """A host without the brackets that IPv6 addresses have in URLs."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def bind(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """Bind an address, or say why that is impossible: before models are opened, which takes longer."""
    host = plain_host(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except (OSError, OverflowError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise UsageError(f"cannot listen on {host} port {port}: {reason}. {option} 0 picks a free one") from None
    sock.set_inheritable(True)
    return sock


def read_tls(certificate: Path | None, key: Path | None) -> Tls | None:
    """Both files, checked, or neither. Raises UsageError."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("--tls-cert and --tls-key go together: give both or neither")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{certificate} and {key} are not a certificate and its key: {error}") from None
    return Tls(certificate, key)


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
