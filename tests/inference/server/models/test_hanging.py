"""What takes too long fails alone, its engine is replaced, and the server goes on, says so, and ends when told to."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from lit_infer.answering import PreparedImage
from lit_infer.batching.batcher import BatchPolicy
from lit_infer.errors import EngineError, InputError, UsageError
from lit_infer.predictor import load
from lit_infer.server.app import create_app
from lit_infer.server.models.batches import Answer, Batches, Interest
from lit_infer.server.models.hanging import HangLimits
from lit_infer.server.models.instances import InThreads
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.runner import Runner
from lit_infer.server.models.sources import parse
from lit_infer.server.models.stats import Stats
from tests.inference.tiny import colour, encoded
from tests.support.server.client import Client
from tests.support.server.endless import make_endless, white
from tests.support.server.process import command
from tests.support.server.requests import GOOD, INFER, assert_refused, png
from tests.support.server.waiting import until

QUICK = HangLimits(image=0.2, hang=1.0)


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_endless(tmp_path_factory.mktemp("endless") / "colours")


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It ends after some seconds: for threads of this process, which nobody can stop."""
    return make_endless(tmp_path_factory.mktemp("long") / "colours", times=3_000_000)


class Slow:
    """A decoder that hangs at one image until it is let go."""

    def __init__(self, path: Path) -> None:
        self.predictor = load(path, device="cpu", threads=1)
        self.go_on = threading.Event()
        self.prepared: list[bytes] = []

    def prepare(self, image: bytes) -> PreparedImage:
        self.prepared.append(image)
        if image.startswith(b"slow"):
            self.go_on.wait(20)
        return self.predictor.prepared(image)

    @contextlib.contextmanager
    def runner(self, limits: HangLimits = QUICK) -> Iterator[Runner]:
        batches = Batches(self.predictor.manifest, self.predictor.sessions.for_many(), self.prepare, max_batch=4)
        instances = InThreads(self.predictor, batches, count=1)
        opened = Runner(instances, policy=BatchPolicy(4, 0.05), stats=Stats(), limits=limits)
        yield opened
        self.go_on.set()
        opened.close()
        self.predictor.close()


def bmp(label: str) -> bytes:
    """An image that waits in one queue with the slow ones: it is neither a JPEG nor a PNG."""
    return encoded(Image.fromarray(colour(label)), "BMP")


def test_a_quick_image_does_not_wait_for_slow_ones(proven: Path) -> None:
    slow = Slow(proven)
    with slow.runner(HangLimits(image=60)) as opened:
        waiting = opened.submit_image(b"slow", timeout=None)
        until(lambda: slow.prepared == [b"slow"])

        assert isinstance(opened.submit_image(png(), timeout=None).result(10), Answer)
        assert not waiting.done()


def test_an_image_that_takes_too_long_fails_alone(proven: Path) -> None:
    slow = Slow(proven)
    with slow.runner() as opened:
        futures = [opened.submit_image(image, timeout=None) for image in (bmp("red"), b"slow", bmp("blue"))]

        assert isinstance(futures[0].result(20), Answer)
        assert isinstance(futures[2].result(20), Answer)
        error = futures[1].exception(20)
        assert isinstance(error, InputError)
        assert (error.code, str(error)) == ("too_slow", "preparing the image took longer than 0.2 s")


def test_many_slow_images_do_not_take_all_threads_of_the_machine(proven: Path) -> None:
    slow = Slow(proven)
    with slow.runner() as opened:
        futures = [opened.submit_image(b"slow %d" % n, timeout=None) for n in range(20)]
        until(lambda: sum(future.done() for future in futures) >= 5)
        most = threading.active_count()
        slow.go_on.set()

        assert all(isinstance(future.exception(20), InputError) for future in futures)
        assert isinstance(opened.submit_image(png(), timeout=None).result(20), Answer)
    assert most < 20


def test_what_nobody_waits_for_is_not_prepared(proven: Path) -> None:
    slow = Slow(proven)
    with slow.runner() as opened:
        interest = Interest()
        first = opened.submit_image(b"slow", timeout=None)
        second = opened.submit_image(bmp("red"), timeout=None, interest=interest)
        until(lambda: slow.prepared == [b"slow"])
        interest.is_gone = True
        slow.go_on.set()

        assert {type(future.exception(20)) for future in (first, second)} == {InputError}
    assert slow.prepared == [b"slow"]


@pytest.mark.parametrize("processes", [0, 1])
def test_a_hanging_engine_is_replaced_like_a_crashed_one(
    endless: Path, long: Path, processes: int, caplog: pytest.LogCaptureFixture
) -> None:
    opening = Opening(device="cpu", threads=1, processes=processes, hang_limits=QUICK)
    repository = Repository(parse([str(endless if processes else long)]), opening)
    client = Client(create_app(repository))
    before = repository.slots[0].served

    assert_refused(client.post("/predict", content=white()), 503)
    until(lambda: repository.is_ready() and repository.slots[0].served is not before)

    assert client.post(INFER, **GOOD).status_code == 200
    assert "the engine failed" in caplog.text
    client.close()
    repository.close()


def test_ready_says_no_while_nothing_is_answered(endless: Path) -> None:
    limits = HangLimits(hang=8.0)  # stalled after two
    repository = Repository(parse([str(endless)]), Opening(device="cpu", processes=1, hang_limits=limits))
    client = Client(create_app(repository))
    served = repository.slots[0].served
    assert served is not None
    assert client.get("/v2/health/ready").status_code == 200

    future = served.runner.submit_image(white(), timeout=None)
    until(lambda: client.get("/v2/health/ready").status_code == 503)

    assert client.get("/v2/models/colours/ready").status_code == 503
    assert isinstance(future.exception(20), EngineError)
    client.close()
    repository.close()


@pytest.mark.parametrize("more", [[], ["--processes", "1"]])
def test_a_server_whose_engine_hangs_ends_when_it_is_told_to(endless: Path, tmp_path: Path, more: list[str]) -> None:
    with command(str(endless), "--no-grpc", *more, cwd=tmp_path) as server:
        with pytest.raises(httpx.TimeoutException):
            httpx.post(f"{server.url}/predict", content=white(), timeout=1)

        assert server.stop() == 0


def test_limits_are_positive() -> None:
    with pytest.raises(UsageError, match="positive"):
        HangLimits(image=0)
