"""Five times more requests than a server can answer: each gets exactly one answer, and afterwards none waits.

$LIT_OVERLOAD_SECONDS is how long it lasts. The load is open: requests come when they come, whether or not the server
has answered the ones before, each over a connection of its own that is read to its end.
"""

import asyncio
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from onnx import TensorProto, helper

from tests.inference.tiny import LABELS, colour, listed, rewrite
from tests.support.server.process import Server, serving
from tests.support.server.proven import PARITY, expected, make_proven
from tests.support.server.requests import tensor

SECONDS = float(os.environ.get("LIT_OVERLOAD_SECONDS", "8"))
TIMES = 5
INFER = "/v2/models/colours/infer"
WORK = 1200  # a product of two matrices of this side: some ten milliseconds of one core
MOST_GROWTH = 64 * 2**20  # bytes, over 60 s as well

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Asked:
    """A request and everything that came back until the server closed."""

    number: int
    received: bytes

    @property
    def answer(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of the one answer; more or less than one is a failure."""
        head, _, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert head.startswith(b"HTTP/1.1 "), f"request {self.number} got no answer: {self.received[:200]!r}"
        assert length, head
        assert len(body) == int(length[1]), f"request {self.number} got {self.received[:1000]!r}"
        return int(head.split()[1]), head, body


def slow_bundle(folder: Path) -> Path:
    """The tiny model with a large product of matrices in it, whose result counts for nothing."""
    bundle = make_proven(folder)
    model = onnx.load(bundle / "model.onnx")
    side = helper.make_tensor("side", TensorProto.INT64, [2], [WORK, WORK])
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    softmax = model.graph.node.pop()
    model.graph.initializer.extend([side, zero])
    model.graph.node.extend(
        [
            helper.make_node("ReduceMean", ["logits"], ["level"], keepdims=0),
            helper.make_node("Expand", ["level", "side"], ["matrix"]),
            helper.make_node("MatMul", ["matrix", "matrix"], ["product"]),
            helper.make_node("ReduceMean", ["product"], ["number"], keepdims=0),
            helper.make_node("Mul", ["number", "zero"], ["nothing"]),
            helper.make_node("Add", ["logits", "nothing"], ["same"]),
            helper.make_node("Softmax", ["same"], list(softmax.output), axis=-1),
        ]
    )
    onnx.save(model, bundle / "model.onnx")
    return rewrite(bundle, graphs=(replace(listed(bundle / "model.onnx", "onnx"), parity=PARITY),))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    bundle = slow_bundle(tmp_path_factory.mktemp("slow") / "colours")
    with serving(bundle, opening="max_batch=1, max_items=8, threads=1") as started:
        yield started


def image(number: int) -> np.ndarray:
    """One of 600 that differ."""
    return colour(LABELS[number % 3], 50 + number % 200)


async def ask(server: Server, number: int) -> Asked:
    body = json.dumps({"inputs": [tensor(data=image(number)[None].ravel().tolist())], "id": str(number)})
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write((head + body).encode())
    received = await reader.read()
    writer.close()
    return Asked(number, received)


async def capacity(server: Server) -> float:
    """Requests a second that it answers when four clients wait for their answers."""
    until, answered = time.monotonic() + 1, 0

    async def client() -> None:
        nonlocal answered
        while time.monotonic() < until:
            assert (await ask(server, answered)).answer[0] == 200
            answered += 1

    started = time.monotonic()
    await asyncio.gather(*(client() for _ in range(4)))
    return answered / (time.monotonic() - started)


async def overload(server: Server, rate: float) -> tuple[list[Asked], int]:
    """All requests with what came back, and the server's largest memory in bytes."""
    asked, largest, started = [], 0, time.monotonic()
    while (elapsed := time.monotonic() - started) < SECONDS:
        for _ in range(int(elapsed * rate) - len(asked)):
            asked.append(asyncio.ensure_future(ask(server, len(asked))))
        largest = max(largest, memory(server))
        await asyncio.sleep(0.01)
    return await asyncio.gather(*asked), largest


def memory(server: Server) -> int:
    """Bytes resident."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def metric(text: str, name: str) -> int:
    """The sum over its reasons, where it has some."""
    found = re.findall(rf'^{name}\{{model="colours",version="1".*\}} (\d+)', text, re.MULTILINE)
    assert found, text
    return sum(map(int, found))


def test_each_request_gets_exactly_one_answer_and_the_right_one(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=20) as client:
        rate = asyncio.run(capacity(server))
        before, small = client.get("/metrics").text, memory(server)

        asked, largest = asyncio.run(overload(server, TIMES * rate))
        later = asyncio.run(ask(server, 1))
        after = client.get("/metrics").text

    by_status = Counter(one.answer[0] for one in asked)
    print(f"{rate:.0f}/s answered alone; {len(asked)} asked in {SECONDS:g} s: {dict(by_status)}")  # noqa: T201
    assert set(by_status) == {200, 503}
    for one in asked:
        status, head, body = one.answer
        if status == 503:
            assert b"retry-after: 1" in head
            assert list(json.loads(body)) == ["error"]
        else:
            answer = json.loads(body)
            assert answer["id"] == str(one.number)
            assert np.allclose(answer["outputs"][0]["data"], expected(image(one.number)[None])[0], atol=1e-6)
    assert later.answer[0] == 200
    assert metric(after, "nv_inference_pending_request_count") == 0
    succeeded, failed = (
        metric(after, name) - metric(before, name)
        for name in ("nv_inference_request_success", "nv_inference_request_failure")
    )
    assert (succeeded - 1, failed) == (by_status[200], by_status[503])
    assert largest - small < MOST_GROWTH
