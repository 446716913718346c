"""A life of a server: started, stopped by a signal with requests in flight, overloaded, asked over one connection."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import pytest

from lit_infer.server.app import create_app
from lit_infer.server.models.opening import OnDeath, Opening, Served, open_model
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import ModelSource
from lit_infer.server.models.stats import Stats
from tests.inference.tiny import LABELS, colour
from tests.support.server.client import Client
from tests.support.server.process import command, serving
from tests.support.server.proven import expected
from tests.support.server.published import NAME, publish
from tests.support.server.requests import png, tensor
from tests.support.server.waiting import until

INFER = "/v2/models/colours/infer"


def request_for(place: int) -> dict[str, object]:
    image = colour(LABELS[place % 3], 50 + place)
    return {"inputs": [tensor(data=image[None].ravel().tolist())], "id": str(place)}


async def until_pending(client: httpx.AsyncClient, count: int) -> None:
    line = f'nv_inference_pending_request_count{{model="colours",version="1"}} {count}\n'
    while line not in (await client.get("/metrics")).text:
        await asyncio.sleep(0.01)


def with_children(pid: int) -> list[int]:
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


@pytest.mark.parametrize("processes", [0, 2])
def test_sigterm_loses_none_of_50_requests_in_flight(proven: Path, processes: int) -> None:
    """It is sent to all of a server's processes, as systemd does."""

    async def story() -> tuple[list[httpx.Response], httpx.Response]:
        limits = httpx.Limits(max_connections=60)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=20) as client:
            asked = [asyncio.ensure_future(client.post(INFER, json=request_for(i))) for i in range(50)]
            await until_pending(client, 50)
            for pid in with_children(server.process.pid):
                os.kill(pid, signal.SIGTERM)
            while (ready := await client.get("/v2/health/ready")).status_code == 200:
                await asyncio.sleep(0.01)
            return await asyncio.gather(*asked), ready

    opening = f"max_batch=64, max_delay=2.0, processes={processes}"
    with serving(proven, settings="accept_delay=0.3", opening=opening) as server:
        assert len(with_children(server.process.pid)) == 1 + processes
        answers, ready = asyncio.run(story())
        assert server.process.wait(25) == 0

    assert (ready.status_code, ready.json()) == (503, {"ready": False})
    assert ready.headers["connection"] == "close"
    assert [answer.status_code for answer in answers] == [200] * 50
    images = np.stack([colour(LABELS[i % 3], 50 + i) for i in range(50)])
    found = np.array([answer.json()["outputs"][0]["data"] for answer in answers], dtype=np.float32)
    assert np.allclose(found, expected(images))


@pytest.mark.slow
def test_20_sigterms_under_load_lose_no_request(proven: Path) -> None:
    """50 clients ask again and again, until nobody listens any more; every connection that was made got its answer."""

    async def ask(counts: Counter[int]) -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=20, verify=False) as client:  # noqa: S501 - no TLS
            with suppress(httpx.ConnectError):
                while True:
                    counts[(await client.post(INFER, json=request_for(1))).status_code] += 1
                    if sum(counts.values()) == 50:
                        server.process.send_signal(signal.SIGTERM)

    async def story() -> Counter[int]:
        counts: Counter[int] = Counter()
        await asyncio.gather(*(ask(counts) for _ in range(50)))
        return counts

    for _ in range(20):
        with serving(proven, settings="accept_delay=0.2") as server:
            counts = asyncio.run(story())
            assert server.process.wait(25) == 0
        assert set(counts) == {200}
        assert counts[200] >= 50


def test_a_swap_under_load_loses_no_request(tmp_path: Path) -> None:
    """A real server follows an alias that moves four times while eight clients ask without a pause."""
    labels = ["blue", "azure", "navy", "teal", "cyan"]

    async def ask(seen: list[tuple[int, str]]) -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
            while not seen or seen[-1][0] < len(labels) - 1:
                answer = await client.post("/predict", content=png())
                assert answer.status_code == 200, answer.text
                seen.append((int(answer.json()["version"]), answer.json()["label"]))

    async def move(seen: list[tuple[int, str]]) -> None:
        for version in range(1, len(labels)):
            while seen.count((version - 1, labels[version - 1])) < 10:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(publish, tmp_path / str(version), label=labels[version])

    async def story() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(move(answers[0]), *(ask(seen) for seen in answers))

    publish(tmp_path / "0", label=labels[0])
    answers: list[list[tuple[int, str]]] = [[] for _ in range(8)]
    with command(f"{NAME}:production", "--watch", "0.05s", "--quiet", cwd=tmp_path) as server:
        asyncio.run(story())

    for seen in answers:
        assert seen == sorted(seen, key=lambda one: one[0])  # none was answered by a version that was replaced before
        assert {labels[version] == label for version, label in seen} == {True}
    assert {version for seen in answers for version, _ in seen} == set(range(len(labels)))


def test_an_engine_that_dies_is_restarted_until_that_succeeds(proven: Path) -> None:
    """Opened for real, golden answers and warm-up included; the first two attempts fail."""
    broken, opened = False, 0

    def open_one(source: ModelSource, opening: Opening, stats: Stats, on_death: OnDeath) -> Served:
        nonlocal broken, opened
        opened += 1
        if opened in (2, 3):
            raise OSError("the device is not back yet")
        broken = False
        served = open_model(source, opening, stats=stats, on_death=on_death)
        batches = served.runner._answer.__self__  # type: ignore[attr-defined]
        graph = batches._run

        def run_or_fail(inputs: object) -> object:
            if broken:
                raise RuntimeError("CUDA error: device-side assert triggered")
            return graph(inputs)

        batches._run = run_or_fail
        return served

    repository = Repository([ModelSource(str(proven))], Opening(device="cpu"), open_one=open_one)
    client = Client(create_app(repository))
    assert client.post(INFER, json=request_for(1)).status_code == 200
    broken = True
    refused = client.posts(INFER, *({"json": request_for(i)} for i in range(10)))
    until(repository.is_ready)

    assert {answer.status_code for answer in refused} == {503}
    assert opened == 4
    assert client.post(INFER, json=request_for(1)).status_code == 200
    client.close()
    repository.close()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_server_with_0(proven: Path, sent: signal.Signals) -> None:
    settings = "accept_delay=0, next_request=0.1"
    with serving(proven, settings=settings) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/v2").status_code == 200
        server.process.send_signal(sent)

        assert server.process.wait(20) == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""


def test_a_client_between_two_requests_is_still_answered_when_nobody_listens_any_more(proven: Path) -> None:
    def listens() -> bool:
        try:
            server.connect().close()
        except ConnectionError:
            return False
        return True

    with serving(proven, settings="accept_delay=0") as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/v2").headers.get("connection") != "close"
        server.process.send_signal(signal.SIGTERM)
        while listens():
            pass

        last = client.get("/v2")

        assert (last.status_code, last.headers["connection"]) == (200, "close")
        assert server.process.wait(20) == 0


def test_a_full_queue_answers_each_request_once_and_says_when_to_come_again(proven: Path) -> None:
    async def story() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=server.url, limits=httpx.Limits(max_connections=50)) as client:
            return await asyncio.gather(*(client.post(INFER, json=request_for(i % 100)) for i in range(150)))

    with serving(proven, opening="max_items=10, max_batch=64, max_delay=0.5") as server:
        answers = asyncio.run(story())
        after = httpx.post(server.url + INFER, json=request_for(1))

    by_status = {status: [one for one in answers if one.status_code == status] for status in (200, 503)}
    assert len(by_status[200]) + len(by_status[503]) == 150
    assert len(by_status[200]) >= 10
    assert by_status[503]
    assert {one.headers["retry-after"] for one in by_status[503]} == {"1"}
    assert all("are already waiting" in one.json()["error"] for one in by_status[503])
    assert after.status_code == 200


def test_a_request_that_expired_while_it_waited_is_503(proven: Path) -> None:
    body = {**request_for(1), "parameters": {"timeout": 1}}
    with serving(proven) as server:
        answer = httpx.post(server.url + INFER, json=body)

    assert answer.status_code == 503
    assert "timeout" in answer.json()["error"]


def test_many_requests_over_one_connection(proven: Path) -> None:
    with serving(proven) as server, httpx.Client(base_url=server.url) as client:
        ids = [client.post(INFER, json=request_for(i)).json()["id"] for i in range(100)]

    assert ids == [str(i) for i in range(100)]


def test_a_client_that_leaves_while_it_waits_is_dropped_before_inference(proven: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(30), httpx.AsyncClient(base_url=server.url) as client:
            asked = asyncio.ensure_future(client.post(INFER, json=request_for(0)))
            await until_pending(client, 1)
            asked.cancel()
            await asyncio.wait([asked])
            canceled = 'nv_inference_request_failure{model="colours",version="1",reason="CANCELED"} 1\n'
            while canceled not in (await client.get("/metrics")).text:
                await asyncio.sleep(0.01)
            await until_pending(client, 0)
            assert 'nv_inference_exec_count{model="colours",version="1"} 0\n' in (await client.get("/metrics")).text

    with serving(proven, opening="max_batch=64, max_delay=1.0") as server:
        asyncio.run(story())


def test_the_garbage_collector_does_not_look_again_at_what_was_loaded_to_start_with(proven: Path) -> None:
    with serving(proven, tell="__import__('gc').get_freeze_count()") as server:
        frozen = int(server.told.split()[0])

    assert frozen > 10_000  # to go through them takes 20 ms, and nothing else runs meanwhile


_READS_FOR_EVER = """
import asyncio, sys, threading
from lit_infer.server import run
from lit_infer.server.listeners import open_listeners
from lit_infer.server.models import hanging
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from lit_infer.server.settings import Settings

async def app(scope, receive, send):
    await asyncio.to_thread(lambda: (print("reading", flush=True), threading.Event().wait()))

listeners = open_listeners("127.0.0.1", 0, None)
repository = Repository(parse([sys.argv[1]]), Opening(device="cpu"))
started = lambda: print("serving on", listeners.http_address, flush=True)
run.serve(app, repository, Settings(grace=1), listeners, started=started)
repository.close()
hanging.end_process_if_needed()
"""


def test_a_body_that_is_read_for_ever_does_not_keep_the_server(proven: Path) -> None:
    line = [sys.executable, "-c", _READS_FOR_EVER, str(proven)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert process.stdout.readline() == "reading\n"
            process.send_signal(signal.SIGTERM)
            try:
                assert process.wait(60) == 0
            finally:
                process.kill()
