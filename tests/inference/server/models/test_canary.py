"""A canary answers exactly its share, and never at a client's expense."""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from lit_infer.errors import ExpiredError, UsageError
from lit_infer.server.app import create_app
from lit_infer.server.errors import ClientGoneError
from lit_infer.server.models.canary import check_fits, describe, is_turn, model_of, named, parse
from lit_infer.server.models.inference import answer
from lit_infer.server.models.opening import OnDeath, Opening, Served
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import ModelSource
from lit_infer.server.models.stats import Stats
from tests.inference.tiny import colour, described
from tests.support.server.client import Client
from tests.support.server.engine import CPU, Engine
from tests.support.server.process import refused
from tests.support.server.requests import GOOD, INFER, assert_refused, png, tensor
from tests.support.server.waiting import until

TENTH = Fraction(1, 10)
CANARY = "/v2/models/colours/versions/2/infer"


@pytest.fixture
def engines(proven: Path) -> dict[str, Engine]:
    return {"main": Engine(proven), "canary": Engine(proven)}


@pytest.fixture
def pair(engines: dict[str, Engine]) -> Iterator[Repository]:
    """Version 1, and version 2 as its canary with a tenth of the requests."""

    def open_one(source: ModelSource, opening: Opening, stats: Stats, on_death: OnDeath) -> Served:
        return engines[source.model].open(source, opening, stats, on_death)

    sources = (ModelSource("main", "colours"), ModelSource("canary", None, share=TENTH))
    repository = Repository(sources, CPU, open_one=open_one)
    yield repository
    repository.close()


@pytest.fixture
def client(pair: Repository) -> Iterator[Client]:
    opened = Client(create_app(pair))
    yield opened
    opened.close()


def versions(client: Client, count: int, path: str = INFER) -> Counter[str]:
    """Which versions answered so many requests, some at once; all of them did."""
    found: Counter[str] = Counter()
    for _ in range(count // 20):
        answers = client.posts(path, *[GOOD] * 20)
        assert {answer.status_code for answer in answers} == {200}
        found.update(answer.json()["model_version"] for answer in answers)
    return found


@pytest.mark.parametrize("text", ["0.001", "0.05", "0.1", "0.333", "0.5", "0.9", "0.999"])
def test_turns_are_exactly_the_share_and_evenly_spread(text: str) -> None:
    share = Fraction(text)
    turns = [number for number in range(3000) if is_turn(number, share)]

    assert len(turns) == int(3000 * share)
    for upto in range(0, 3000, 17):
        assert abs(sum(turn < upto for turn in turns) - upto * share) < 1


def test_of_1000_requests_that_name_no_version_100_go_to_the_canary(client: Client) -> None:
    assert versions(client, 1000) == {"1": 900, "2": 100}

    stats = client.get("/v2/models/colours/stats").json()["model_stats"]
    assert [(one["version"], one["inference_stats"]["success"]["count"]) for one in stats] == [("1", 900), ("2", 100)]
    assert 'nv_inference_request_success{model="colours",version="2"} 100\n' in client.get("/metrics").text


def test_a_request_that_names_a_version_gets_it_and_takes_nobodys_turn(client: Client) -> None:
    assert versions(client, 20, CANARY) == {"2": 20}
    assert versions(client, 20, "/v2/models/colours/versions/1/infer") == {"1": 20}
    answers = [client.post("/predict", content=png()).json()["version"] for _ in range(20)]

    assert answers == (["1"] * 9 + ["2"]) * 2
    assert client.post("/predict?version=2", content=png()).json()["version"] == "2"


def test_both_versions_are_listed_and_the_main_one_stands_for_the_model(client: Client) -> None:
    described = client.get("/v2/models/colours").json()

    assert described["versions"] == ["1", "2"]
    for _ in range(20):  # what only asks about the model takes no turn either
        assert client.get("/v2/models/colours/ready").status_code == 200
    assert versions(client, 20) == {"1": 18, "2": 2}


def test_a_canary_that_dies_under_load_loses_no_request_and_comes_back(
    engines: dict[str, Engine], pair: Repository, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    assert versions(client, 20)["2"] == 2
    with caplog.at_level(logging.INFO, "lit_serve"):
        engines["canary"].fails, engines["canary"].fails_to_open = lambda _: True, 1000
        assert versions(client, 200) == {"1": 200}
        assert client.get("/v2/health/ready").status_code == 503  # it is meant to be there
        assert_refused(client.post(CANARY, **GOOD), 503)
        engines["canary"].fails, engines["canary"].fails_to_open = lambda _: False, 0
        until(pair.is_ready)

    assert versions(client, 100)["2"] == 10
    assert "version 2: the engine failed" in caplog.text
    assert "meanwhile the main version answers its share" in caplog.text


def test_what_only_the_canary_cannot_do_the_main_version_does_and_the_log_says_so_once(
    engines: dict[str, Engine], client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    engines["canary"].fails = lambda images: bool((images == 77).any())
    odd = {"json": {"inputs": [tensor(data=[77] * 192)]}}

    answers = client.posts(INFER, *[odd] * 40)

    assert {(answer.status_code, answer.json()["model_version"]) for answer in answers} == {(200, "1")}
    assert caplog.text.count("version 2, the canary, failed where the main version answered") == 1
    failed = 'nv_inference_request_failure{model="colours",version="2",reason="OTHER"} 4\n'
    assert failed in client.get("/metrics").text


def test_a_request_that_is_wrong_is_refused_whoever_is_asked(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    for refusal in client.posts(INFER, *[{"json": {"inputs": [tensor(shape=[2])]}}] * 10):
        assert_refused(refusal)
    assert not caplog.records


def test_a_canary_whose_queue_is_full_gives_its_share_to_the_main_version(engines: dict[str, Engine]) -> None:
    running: list[object] = []
    go_on = threading.Event()

    def blocks(images: object) -> bool:
        running.append(images)
        return not go_on.wait(20)

    def open_one(source: ModelSource, opening: Opening, stats: Stats, on_death: OnDeath) -> Served:
        narrow = Opening(max_batch=1, max_items=1 if source.share else 1024)
        return engines[source.model].open(source, narrow, stats, on_death)

    half = ModelSource("canary", "colours", share=Fraction(1, 2))
    repository = Repository((ModelSource("main", "colours"), half), CPU, open_one=open_one)
    client = Client(create_app(repository))
    with repository.held("colours", "2") as served:
        engines["canary"].fails = blocks
        image = (colour("red")[None],)
        waiting = []
        for busy in range(1, served.opened.count + 1):
            waiting += served.runner.submit_arrays(image, timeout=None)
            until(lambda busy=busy: len(running) == busy)  # type: ignore[misc]
        waiting += served.runner.submit_arrays(image, timeout=None)  # which fills the queue

        assert versions(client, 20) == {"1": 20}

        go_on.set()
        assert [future.result(20).rows for future in waiting] == [1] * len(waiting)
    client.close()
    repository.close()


@pytest.mark.parametrize("error", [ExpiredError("its timeout passed"), ClientGoneError("the client left")])
def test_nobody_is_asked_again_when_the_time_has_passed_or_the_client_has_left(
    pair: Repository, error: Exception
) -> None:
    async def ask(served: Served) -> str:
        if served.version == "2":
            raise error
        return served.version

    async def story() -> list[str]:
        return [await answer(pair, "colours", None, ask) for _ in range(9)]

    assert asyncio.run(story()) == ["1"] * 9
    with pytest.raises(type(error)):  # the tenth is the canary's
        asyncio.run(answer(pair, "colours", None, ask))


def test_a_canary_is_for_the_only_model_or_for_the_one_it_names() -> None:
    one, two = (ModelSource("bundles/a"),), (ModelSource("bundles/a", "a"), ModelSource("bundles/b", "b"))

    assert parse(["local/c/x:candidate=10%"], one) == (ModelSource("local/c/x:candidate", share=TENTH),)
    assert parse(["b=bundles/new=0.5%", "a=./lr=0.1=99.9%"], two) == (
        ModelSource("bundles/new", "b", share=Fraction(1, 200)),
        ModelSource("./lr=0.1", "a", share=Fraction(999, 1000)),
    )
    with pytest.raises(UsageError, match="which of a, b is it for"):
        parse(["bundles/new=10%"], two)
    with pytest.raises(UsageError, match="no model c is served, only a, b"):
        parse(["c=bundles/new=10%"], two)
    with pytest.raises(UsageError, match="is already being served"):
        parse(["b=bundles/b=10%"], two)
    with pytest.raises(UsageError, match="no model b is served, only a"):
        model_of(ModelSource("bundles/new", "b"), ["a"])


@pytest.mark.parametrize("share", ["", "0%", "0.0%", "100%", "101%", "-1%", "10", "ten%", "1e1%", "٣%", "nan%"])
def test_a_share_that_is_none_is_refused(share: str) -> None:
    with pytest.raises(UsageError, match=r"write MODEL=10% or NAME=MODEL=10%"):
        parse([f"bundles/new={share}"], (ModelSource("bundles/a"),))


def test_a_share_that_is_none_is_said_in_a_line(proven: Path) -> None:
    code, said = refused(str(proven), "--canary", f"{proven}=0%")

    assert (code, said.count("\n"), "more than 0 and less than 100 percent" in said) == (2, 1, True)


def test_a_canary_without_a_version_of_its_own_gets_the_next() -> None:
    assert named(ModelSource("b", share=TENTH), "a", ["7", "3"]) == ModelSource("b", "a", 8, TENTH)


def test_a_canary_is_told_with_its_share() -> None:
    assert describe(ModelSource("b", share=Fraction(1, 200))) == "b (canary, 0.5% of the requests without a version)"
    assert describe(ModelSource("b")) == "b"


def test_a_canary_takes_and_gives_what_the_main_version_does() -> None:
    main = described()
    check_fits(described(labels=("a", "b", "c")), main)

    with pytest.raises(UsageError, match=r"images uint8 \['batch', 8, 8, 3\] -> .*, not .*pixels"):
        check_fits(described(inputs=(main.inputs[0].__class__(name="pixels", dtype="uint8", shape=(1,)),)), main)


def test_a_second_canary_of_a_model_is_refused(engines: dict[str, Engine]) -> None:
    def open_one(source: ModelSource, opening: Opening, stats: Stats, on_death: OnDeath) -> Served:
        return engines[source.model].open(source, opening, stats, on_death)

    canary = ModelSource("canary", share=TENTH)
    with pytest.raises(UsageError, match="colours has a canary already"):
        Repository((ModelSource("main", "colours"), canary, canary), CPU, open_one=open_one)
