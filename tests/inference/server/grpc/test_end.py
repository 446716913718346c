"""A stop beside a client that reads slowly: HTTP/2 by hand, since gRPC's clients read at once."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from lit_infer.server.grpc import inference_pb2 as pb
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.inference.tiny import LABELS, colour
from tests.support.server.rig import Rig, asked, until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, UNKNOWN = 0, 1, 4, 6, 0xFA
ACK = END_STREAM = 1
END_HEADERS = 4


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    """As in RFC 9113, section 4.1."""
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def headers(method: str) -> bytes:
    """Of a call, without compression: RFC 7541, section 6.2.2."""
    path = f"/inference.GRPCInferenceService/{method}"
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "here"}
    fields |= {"content-type": "application/grpc", "te": "trailers"}
    return b"".join(b"\0" + bytes([len(k)]) + k.encode() + bytes([len(v)]) + v.encode() for k, v in fields.items())


class SlowClient:
    """One call on one connection. It reads in small pieces, and says something all the time."""

    def __init__(self, address: str, method: str, message: bytes) -> None:
        host, _, port = address.rpartition(":")
        self._sock = socket.socket()
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # most of the answer waits in the server's
        self._sock.settimeout(20)
        self._sock.connect((host, int(port)))
        body = b"\0" + struct.pack(">I", len(message)) + message
        assert len(body) < 65536, "more would have to wait for a window"
        parts = [body[i : i + 16384] for i in range(0, len(body), 16384)]
        data = b"".join(frame(DATA, END_STREAM * (part is parts[-1]), 1, part) for part in parts)
        self._say(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, headers(method)) + data)

    def _say(self, data: bytes) -> None:
        self._sock.sendall(data)

    def frames(self) -> Iterator[tuple[int, int, bytes]]:
        """Kind, flags and body of each, until the server closes; pings and settings are answered."""
        talk = threading.Thread(target=self._talk)
        talk.start()
        while head := self._read(9):
            kind, flags, body = head[3], head[4], self._read(int.from_bytes(head[:3], "big"))
            if kind in (PING, SETTINGS) and not flags & ACK:
                self._say(frame(kind, ACK, 0, body if kind == PING else b""))
            yield kind, flags, body
        self._sock.close()
        talk.join()

    def _talk(self) -> None:
        try:
            while True:
                self._say(frame(UNKNOWN, 0, 0))  # to be ignored, says the RFC
                time.sleep(0.0005)
        except OSError:
            return

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self._sock.recv(min(2048, size - len(found)))
            if not part:
                return b""
            time.sleep(0.0005)
            found += part
        return found


def test_an_answer_on_its_way_to_a_slow_client_is_not_lost_when_the_server_stops(proven: Path) -> None:
    repository = Repository(parse([str(proven)]), Opening(device="cpu", max_batch=64, max_delay=0.8))
    rig, slot = Rig(repository), repository.slots[0]
    request = asked(colour(LABELS[0], 60)[None], id="i" * 60_000)  # the answer repeats it
    client = SlowClient(rig.listeners.grpc_address, "ModelInfer", request.SerializeToString())

    async def story() -> list[tuple[int, int, bytes]]:
        reading = asyncio.ensure_future(asyncio.to_thread(lambda: list(client.frames())))
        await until(lambda: slot.served is not None and slot.served.runner.waiting == 1)
        await rig.server.stop(20)
        return await reading

    found = rig.run(story())

    message = b"".join(body for kind, _, body in found if kind == DATA)
    assert pb.ModelInferResponse.FromString(message[5:]).id == request.id
    assert [kind for kind, flags, _ in found if kind in (HEADERS, DATA) and flags & END_STREAM] == [HEADERS]
    rig.close()
    repository.close()
