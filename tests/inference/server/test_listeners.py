"""Addresses are bound before models are opened, and a mistake is reported in a line."""

import socket
from pathlib import Path

import pytest

from lit_infer.errors import UsageError
from lit_infer.server.listeners import Tls, bind, bind_unix, open_listeners, read_tls


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: Address already in use"):
            bind("127.0.0.1", port)


def test_tls_needs_both_files_and_right_ones(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("none")

    assert read_tls(None, None) is None
    with pytest.raises(UsageError, match="go together"):
        read_tls(tmp_path / "a.pem", None)
    with pytest.raises(UsageError, match="not a certificate and its key"):
        read_tls(tmp_path / "a.pem", tmp_path / "a.pem")


def test_both_addresses_are_bound_and_named() -> None:
    listeners = open_listeners("127.0.0.1", 0, 0, tls=Tls(Path("cert"), Path("key")))

    assert listeners.grpc is not None
    http, grpc = (sock.getsockname()[1] for sock in (listeners.http, listeners.grpc))
    assert listeners.http_address == f"https://127.0.0.1:{http}"
    assert listeners.grpc_address == f"127.0.0.1:{grpc}"
    listeners.http.close()
    listeners.grpc.close()


def test_without_grpc_there_is_no_second_address() -> None:
    listeners = open_listeners("127.0.0.1", 0, None)

    assert (listeners.grpc, listeners.grpc_address) == (None, "")
    listeners.http.close()


def test_if_the_second_address_is_taken_the_first_is_free_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as found:
        port, second = found.getsockname()[1], taken.getsockname()[1]
        found.close()
        with pytest.raises(UsageError, match=r"--grpc-port 0 picks a free one"):
            open_listeners("127.0.0.1", port, second)

    bind("127.0.0.1", port).close()


def test_an_ipv6_address_may_have_its_brackets() -> None:
    with bind("[::1]", 0) as sock:
        assert sock.getsockname()[0] == "::1"


def test_a_unix_socket_that_was_left_behind_is_replaced_and_no_other_file(tmp_path: Path) -> None:
    bind_unix(tmp_path / "s").close()  # as after a crash
    (tmp_path / "file").write_text("precious")

    listeners = open_listeners("127.0.0.1", 0, None, uds=tmp_path / "s")
    listeners.http.listen()
    with pytest.raises(UsageError, match="another server does"):
        bind_unix(tmp_path / "s")
    with pytest.raises(UsageError, match="Address already in use"):
        bind_unix(tmp_path / "file")
    with pytest.raises(UsageError, match="--uds takes the path"):
        bind_unix(tmp_path / "none/s")
    listeners.http.close()
    listeners.remove()

    assert listeners.http_address == f"unix:{tmp_path / 's'}"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
