"""An alias moves: the new version takes over if it is right, and the old one goes on if it is not."""

import logging
from pathlib import Path

import pytest

from lit_infer import artifacts
from lit_infer.errors import ArtifactError
from lit_infer.server import sources, watch
from lit_infer.server.app import create_app
from lit_infer.server.opening import Opening
from lit_infer.server.repository import Repository
from lit_infer.server.sources import Source, parse
from tests.inference.server.client import Client
from tests.inference.server.proven import make_proven, png

NAME = "local/c/colours-export"


def publish(folder: Path, *, label: str, wrong: bool = False) -> artifacts.Version:
    """A version whose third class is called `label`; its alias `production` moves to it."""
    bundle = make_proven(folder, labels=("red", "green", label), wrong=wrong)
    reference = artifacts.parse(NAME)
    return artifacts.registry(reference).publish(bundle, reference, type="model", aliases=("production",))


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
        watch.look(repository, refused)
        assert seen() == ("0", "blue")
        assert not caplog.records

        publish(tmp_path / "1", label="azure")
        watch.look(repository, refused)
        assert seen() == ("1", "azure")

        publish(tmp_path / "2", label="wrong", wrong=True)
        watch.look(repository, refused)
        watch.look(repository, refused)  # it is not tried again
        assert seen() == ("1", "azure")
        assert caplog.text.count("v2 is refused, version 1 goes on") == 1

        publish(tmp_path / "3", label="navy")
        watch.look(repository, refused)
        assert seen() == ("3", "navy")
    client.close()
    repository.close()


def test_a_registry_that_does_not_answer_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path / "0", label="blue")
    repository = Repository(parse([f"{NAME}:production"]), Opening(device="cpu"))

    def fails(_: Source) -> None:
        raise ArtifactError("no network")

    monkeypatch.setattr(sources, "resolve", fails)
    watch.look(repository, {})

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
    assert Source(model).moves == moves
