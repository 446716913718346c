"""Floods: what clients without good intentions send. `python -m tests.hostile.floods NAME HTTP_PORT GRPC_PORT SECONDS`.

Each runs in a process of its own, at a rate that one cheap machine keeps up, and says at its end what was answered.
"""

import contextlib
import functools
import itertools
import json
import random
import re
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.support.heavy_images import HEAVY
from tests.support.server.requests import INFER, png

_SEEDS = Path(__file__).parents[1] / "fuzz/seeds"
_PATIENCE_S = 20.0
_SILENCE_S = 0.5
"""After an answer: how long until it counts as the last."""
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_POST = b"POST %s HTTP/1.1\r\nHost: x\r\n"
_IMAGE = _POST % b"/predict" + b"Connection: close\r\nContent-Length: %d\r\n\r\n"
Answer = str
"""A status, or how the connection ended."""


@dataclass(frozen=True)
class Ports:
    """Where the server listens on loopback."""

    http: int
    grpc: int


@dataclass(frozen=True)
class Flood:
    """What is sent, at most so many a second."""

    send: Callable[[Ports, int], Answer]
    """One hostile input, by its number."""
    rate: float = 100.0
    threads: int = 8


@functools.cache
def _seeds(name: str) -> list[bytes]:
    """Those of a harness."""
    return [path.read_bytes() for path in sorted((_SEEDS / name).iterdir())]


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)


def _said(sock: socket.socket) -> Answer:
    """The last status until the server closes or says nothing more, or how the connection ended."""
    found, rest = "closed", b""
    try:
        while part := sock.recv(65536):
            if statuses := _STATUS.findall(rest + part):
                found = statuses[-1].decode()
                sock.settimeout(_SILENCE_S)
            rest = part[-20:]
    except TimeoutError:
        return found if found != "closed" else "silent"
    except OSError:
        return found if found != "closed" else "reset"
    return found


def _ask(port: int, data: bytes, *, patience: float = _PATIENCE_S) -> Answer:
    """Send all of it, as far as the server takes it, and read to the end."""
    with _connect(port) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(data)
        sock.settimeout(patience)
        return _said(sock)


def _slow_loris(ports: Ports, number: int) -> Answer:
    """A head that never ends, a few bytes now and then."""
    with _connect(ports.http) as sock, contextlib.suppress(OSError):
        sock.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(8):
            sock.sendall(b"X-%d: y\r\n" % number)
            time.sleep(0.5)
    return "left"


def _long_header(ports: Ports, _: int) -> Answer:
    return _ask(ports.http, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000)


def _trailers(ports: Ports, _: int) -> Answer:
    return _ask(
        ports.http, _POST % b"/predict" + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-Trailer: y\r\n" * 20_000
    )


def _unread(ports: Ports, _: int) -> Answer:
    """Hundreds of requests for a long answer, none of which is read."""
    with _connect(ports.http) as sock:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 300)
        time.sleep(2)
    return "left"


def _upgrade(ports: Ports, _: int) -> Answer:
    """An offer of h2c, and a body that looks like a request."""
    hidden = b"GET /v2/models HTTP/1.1\r\nHost: x\r\n\r\n"
    offer = b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings, close\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    return _ask(ports.http, _POST % b"/predict" + offer + b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden)


def _too_large(ports: Ports, number: int) -> Answer:
    """Bodies above the limit: one that says so, one that does not."""
    if number % 2:
        return _ask(ports.http, _IMAGE % 20_000_000 + bytes(1_000_000))
    chunk = b"%x\r\n%s\r\n" % (1_000_000, bytes(1_000_000))
    return _ask(ports.http, _POST % b"/predict" + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 17)


def _image(ports: Ports, data: bytes) -> Answer:
    return _ask(ports.http, _IMAGE % len(data) + data)


@functools.cache
def _heavy() -> list[bytes]:
    return [make() for make, _ in HEAVY.values()]


def _heavy_image(ports: Ports, number: int) -> Answer:
    return _image(ports, _heavy()[number % len(HEAVY)])


def _corrupt_image(ports: Ports, number: int) -> Answer:
    """A file with some bytes changed."""
    chosen = random.Random(number)  # noqa: S311 - not a secret
    data = bytearray(chosen.choice(_seeds("image")))
    for _ in range(chosen.randint(1, 20)):
        data[chosen.randrange(len(data))] = chosen.randrange(256)
    return _image(ports, bytes(data[: chosen.randint(1, len(data))]))


@functools.cache
def _large() -> bytes:
    import numpy as np
    from PIL import Image

    from tests.inference.tiny import encoded

    side = 6900  # 47.6 million pixels
    rows = np.add.outer(np.arange(side), np.arange(side)).astype(np.uint8)
    return encoded(Image.fromarray(rows), "JPEG", quality=30, subsampling=0)


def _large_image(ports: Ports, _: int) -> Answer:
    """What the limits let through."""
    return _image(ports, _large())


def _odd_http(ports: Ports, number: int) -> Answer:
    found = _seeds("http")
    return _ask(ports.http, found[number % len(found)][2:], patience=_SILENCE_S)


def _odd_requests(ports: Ports, number: int) -> Answer:
    """Bodies for the routes of the protocol, and JSON that is deep."""
    deep = b'{"inputs": ' + b"[" * 200_000
    found = [*(seed.partition(b"\n")[2] for seed in _seeds("oip")), deep]
    body = found[number % len(found)][: -1 - number % 7]
    return _ask(
        ports.http, _POST % INFER.encode() + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )


def _leaves(ports: Ports, number: int) -> Answer:
    """A reset in the middle of an image, or right after it."""
    data = _IMAGE % len(png()) + png()
    with _connect(ports.http) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.sendall(data[: len(data) - number % 3 * 20])
    return "left"


def _grpc_junk(ports: Ports, number: int) -> Answer:
    """No HTTP/2 at all, or frames of it that make no sense."""
    chosen = random.Random(number)  # noqa: S311 - not a secret
    junk = chosen.randbytes(chosen.randint(1, 2000))
    frame = struct.pack(">I", len(junk))[1:] + chosen.randbytes(2) + struct.pack(">I", chosen.choice([0, 1, 3])) + junk
    settings = bytes(3) + b"\4" + bytes(5)
    return _ask(ports.grpc, patience=_SILENCE_S, data=(junk, _PREFACE + frame, _PREFACE + settings + frame)[number % 3])


@functools.cache
def _channel(port: int) -> "Callable[..., object]":
    import grpc

    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    call: Callable[..., object] = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    return call


def _grpc_messages(ports: Ports, number: int) -> Answer:
    """Messages that are none, that fit nothing, or that are above the limit."""
    import grpc

    chosen = random.Random(number)  # noqa: S311 - not a secret
    seed = chosen.choice(_seeds("grpc"))
    small = (seed[: chosen.randrange(len(seed))], chosen.randbytes(1000), seed + seed)
    sent = small[number % 3] if number % 10 else bytes(17 * 2**20)  # ten of these a second, as over HTTP
    try:
        _channel(ports.grpc)(sent, timeout=_PATIENCE_S)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


FLOODS = {
    "heads that never end": Flood(_slow_loris, rate=200, threads=300),
    "endless headers": Flood(_long_header),
    "endless trailers": Flood(_trailers, rate=50),
    "answers never read": Flood(_unread, rate=5, threads=10),
    "h2c upgrades": Flood(_upgrade),
    "odd HTTP": Flood(_odd_http, threads=40),
    "bodies too large": Flood(_too_large, rate=10, threads=4),
    "odd requests": Flood(_odd_requests),
    "clients that leave": Flood(_leaves),
    "corrupt images": Flood(_corrupt_image, rate=60),
    "images of much work": Flood(_heavy_image, rate=20),
    "largest images allowed": Flood(_large_image, rate=3, threads=4),
    "gRPC: no HTTP/2": Flood(_grpc_junk, threads=40),
    "gRPC: odd messages": Flood(_grpc_messages),
}


def run(flood: Flood, ports: Ports, seconds: float) -> Counter[Answer]:
    """Send for so many seconds, and count the answers."""
    started, answers = time.monotonic(), Counter[Answer]()
    numbers = itertools.count()

    def send_all() -> Iterator[Answer]:
        while (number := next(numbers)) >= 0:
            due = started + number / flood.rate
            if due > started + seconds or time.monotonic() > started + seconds:
                return
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                yield flood.send(ports, number)
            except OSError as error:
                yield type(error).__name__

    with ThreadPoolExecutor(flood.threads) as pool:
        for counted in pool.map(lambda _: Counter(send_all()), range(flood.threads)):
            answers += counted
    return answers


def main(name: str, http: str, grpc: str, seconds: str) -> None:
    """Prepare, say "ready", wait for a line, flood, and say what came of it."""
    flood, ports = FLOODS[name], Ports(int(http), int(grpc))
    for make in (_heavy, _large) if flood.send in (_heavy_image, _large_image) else ():
        make()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(json.dumps(run(flood, ports, float(seconds))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
