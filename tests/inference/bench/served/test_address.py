import pytest

from lit_infer.bench.served.address import Address, parse
from lit_infer.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://box:8000", Address("http://box:8000", "http", "box", 8000, tls=False)),
        ("http://box:8000/", Address("http://box:8000", "http", "box", 8000, tls=False)),
        ("http://box", Address("http://box:80", "http", "box", 80, tls=False)),
        ("https://box", Address("https://box:443", "http", "box", 443, tls=True)),
        ("grpc://10.0.0.1:8001", Address("grpc://10.0.0.1:8001", "grpc", "10.0.0.1", 8001, tls=False)),
        ("grpcs://[::1]:8001", Address("grpcs://[::1]:8001", "grpc", "::1", 8001, tls=True)),
    ],
)
def test_a_url_is_a_protocol_a_host_and_a_port(text: str, address: Address) -> None:
    assert parse(text) == address
    assert parse(address.url) == address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected http://host:8000 or grpc://host:8001"),
        ("localhost:8000", "expected http://host:8000"),
        ("ftp://box", "expected http://host:8000"),
        ("http://", "expected http://host:8000"),
        ("http://box:99999", "Port out of range"),
        ("http://box:x", "--url 'http://box:x'"),
        ("http://[::1", "--url"),
        ("http://box/v2", "the model is --model"),
        ("http://box?model=a", "the model is --model"),
        ("http://me:secret@box", "a key --api-key-file"),
        ("grpc://box", "give the port, as in grpc://box:8001"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(text)

    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_an_ipv6_host_stands_in_brackets() -> None:
    assert parse("http://[::1]:80").netloc == "[::1]:80"
