"""An alias moves: the new version takes over if it is right, and the old one goes on if it is not."""

import logging
import threading
from fractions import Fraction
from pathlib import Path

import pytest

from lit_infer.errors import ArtifactError, UsageError
from lit_infer.server.app import create_app
from lit_infer.server.models import sources, watch
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import ModelSource, parse
from tests.support.server.client import Client
from tests.support.server.published import NAME, move, publish
from tests.support.server.requests import png


def with_canary(model: str = f"{NAME}:candidate") -> Repository:
    """Production, and the candidate with every second request."""
    return Repository((*parse([f"{NAME}:production"]), ModelSource(model, share=Fraction(1, 2))), Opening(device="cpu"))


def test_a_moved_alias_is_followed_unless_the_new_version_is_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path / "0", label="blue")
    repository = Repository(parse([f"{NAME}:production"]), Opening(device="cpu"))
    client = Client(create_app(repository))
    refused: dict[str, str] = {}

    def seen() -> tuple[str, str]:
        answer = client.post("/predict", content=png()).json()
        return answer["version"], answer["label"]

    with caplog.at_level(logging.INFO, "lit_serve"):
        assert seen() == ("0", "blue")
        watch.check(repository, refused)
        assert seen() == ("0", "blue")
        assert not caplog.records

        publish(tmp_path / "1", label="azure")
        watch.check(repository, refused)
        assert seen() == ("1", "azure")

        publish(tmp_path / "2", label="wrong", wrong=True)
        watch.check(repository, refused)
        watch.check(repository, refused)  # it is not tried again
        assert seen() == ("1", "azure")
        assert caplog.text.count("v2 is refused, version 1 stays") == 1

        publish(tmp_path / "3", label="navy")
        watch.check(repository, refused)
        assert seen() == ("3", "navy")
    client.close()
    repository.close()


def test_a_canary_follows_its_alias_and_rests_while_it_is_the_main_version(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path / "0", label="blue")
    publish(tmp_path / "1", label="azure", alias="candidate")
    repository = with_canary()
    client = Client(create_app(repository))
    refused: dict[str, str] = {}

    def seen() -> list[tuple[str, str]]:
        watch.check(repository, refused)
        answers = [client.post("/predict", content=png()).json() for _ in range(4)]
        assert client.get("/v2/health/ready").status_code == 200
        return [(answer["version"], answer["label"]) for answer in answers]

    def listed() -> list[str]:
        versions: list[str] = client.get("/v2/models/colours").json()["versions"]
        return versions

    assert seen() == [("0", "blue"), ("1", "azure")] * 2

    publish(tmp_path / "2", label="wrong", wrong=True, alias="candidate")
    assert seen() == [("0", "blue"), ("1", "azure")] * 2  # a bad canary is refused as any other

    publish(tmp_path / "3", label="navy", alias="candidate")
    assert seen() == [("0", "blue"), ("3", "navy")] * 2

    with caplog.at_level(logging.INFO, "lit_serve"):
        move("production", "v3")  # it has proved itself
        assert seen() == [("3", "navy")] * 4
        assert seen() == [("3", "navy")] * 4
    assert caplog.text.count("is version 3, like the main one; it is paused") == 1
    assert listed() == ["3"]
    assert 'request_success{model="colours",version="3"} 10\n' in client.get("/metrics").text  # 2 as a canary

    publish(tmp_path / "4", label="teal", alias="candidate")
    assert seen() == [("3", "navy"), ("4", "teal")] * 2

    move("candidate", "v3")
    assert seen() == [("3", "navy")] * 4
    move("production", "v0")
    assert seen() == [("0", "blue"), ("3", "navy")] * 2
    assert listed() == ["0", "3"]
    client.close()
    repository.close()


def test_a_canary_that_moves_under_load_loses_no_request(tmp_path: Path) -> None:
    publish(tmp_path / "0", label="blue")
    publish(tmp_path / "1", label="azure", alias="candidate")
    repository = with_canary()
    client = Client(create_app(repository))
    stop, moves = threading.Event(), []

    def move_about() -> None:
        while not stop.is_set():
            for alias, version in (
                ("candidate", "v0"),
                ("production", "v1"),
                ("candidate", "v1"),
                ("production", "v0"),
            ):
                move(alias, version)
                watch.check(repository, {})
                moves.append(version)

    moving = threading.Thread(target=move_about)
    moving.start()
    try:
        answers = []
        while len(moves) < 8 or len(answers) < 200:
            answers += client.posts("/predict", *[{"content": png()}] * 20)
    finally:
        stop.set()
        moving.join()

    assert {answer.status_code for answer in answers} == {200}
    client.close()
    repository.close()


def test_a_canary_that_is_the_main_version_at_the_start_rests(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    publish(tmp_path / "0", label="blue")
    move("candidate", "v0")

    with caplog.at_level(logging.INFO, "lit_serve"):
        repository = with_canary()

    assert "it is paused until one of them moves" in caplog.text
    assert [slot.version for slot in repository.slots] == ["0"]
    assert repository.is_ready()
    repository.close()


def test_a_canary_of_the_main_ones_number_that_is_another_model_is_refused(tmp_path: Path) -> None:
    publish(tmp_path / "0", label="blue")
    publish(tmp_path / "other", label="azure", name="local/c/other-export")

    with pytest.raises(UsageError, match="are both colours version 0, but differ"):
        with_canary("local/c/other-export:production")


def test_a_version_that_another_slot_serves_is_not_served_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path / "0", label="blue")
    publish(tmp_path / "1", label="azure", alias="candidate")
    repository = Repository(parse([f"c={NAME}:production", f"c={NAME}:candidate"]), Opening(device="cpu"))

    move("production", "v1")
    watch.check(repository, {})

    assert "v1 is refused, version 0 stays: c version 1 is already served" in caplog.text
    assert [slot.version for slot in repository.slots] == ["0", "1"]
    repository.close()


def test_a_registry_that_does_not_answer_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path / "0", label="blue")
    repository = Repository(parse([f"{NAME}:production"]), Opening(device="cpu"))

    def fails(_: ModelSource) -> None:
        raise ArtifactError("no network")

    monkeypatch.setattr(sources, "resolve", fails)
    watch.check(repository, {})

    assert "the registry does not answer: no network" in caplog.text
    assert repository.is_ready()
    repository.close()


def test_the_watch_ends_with_the_repository(proven: Path) -> None:
    repository = Repository(parse([str(proven)]), Opening(device="cpu"))
    thread = watch.start(repository, every=3600)

    repository.close()
    thread.join(5)

    assert not thread.is_alive()


@pytest.mark.parametrize(("model", "moves"), [(f"{NAME}:production", True), (NAME, True), (f"{NAME}:v3", False)])
def test_only_aliases_move(model: str, moves: bool) -> None:
    assert ModelSource(model).moves == moves
