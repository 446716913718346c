from pathlib import Path

import pytest

from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.push import push
from lit_infer.artifacts.reference import parse
from lit_infer.errors import NotFoundError, UsageError
from tests.inference.artifacts.publisher import MODEL, Publisher
from tests.wandb_double.fixture import Client

EXPORT = parse("local/digits/digits-cnn-export")


@pytest.fixture
def there(tmp_path: Path) -> FolderRegistry:
    """Another registry: what is asked of W&B is asked of it."""
    return FolderRegistry(tmp_path / "there")


def pushed(registry: FolderRegistry, there: FolderRegistry, name: str, *aliases: str) -> list[tuple[str, str, bool]]:
    done = push(registry, parse(name), to=there, where=("acme", "numbers"), aliases=aliases)
    return [(str(each.source), str(each.version.reference), each.is_new) for each in done]


def test_parents_go_first_and_the_lineage_is_there_too(
    registry: FolderRegistry, publish: Publisher, there: FolderRegistry
) -> None:
    publish("unrelated")
    publish("weights")
    publish("bundle", to=EXPORT, parents=("local/digits/digits-cnn:v1",))

    assert pushed(registry, there, str(EXPORT), "production") == [
        ("local/digits/digits-cnn:v1", "acme/numbers/digits-cnn:v0", True),
        ("local/digits/digits-cnn-export:v0", "acme/numbers/digits-cnn-export:v0", True),
    ]

    found = there.resolve(parse("acme/numbers/digits-cnn-export:production"))
    assert found.parents == ("acme/numbers/digits-cnn:v0",)
    assert (there.fetch(found.reference) / "model.ckpt").read_text() == "bundle"
    assert there.resolve(parse("acme/numbers/digits-cnn")).aliases == ("latest",)


def test_pushing_again_sends_nothing_even_if_newer_ones_were_pushed(
    registry: FolderRegistry, publish: Publisher, there: FolderRegistry
) -> None:
    publish("a")
    publish("b")
    assert pushed(registry, there, "local/digits/digits-cnn:v0")[0][2]
    assert pushed(registry, there, "local/digits/digits-cnn:v1")[0][2]

    again = pushed(registry, there, "local/digits/digits-cnn:v0", "best")

    assert again == [("local/digits/digits-cnn:v0", "acme/numbers/digits-cnn:v0", False)]
    assert there.resolve(parse("acme/numbers/digits-cnn:best")).reference.alias == "v0"
    assert len(there.versions(parse("acme/numbers/digits-cnn"))) == 2


def test_a_parent_that_is_online_already_is_named_as_it_is(
    registry: FolderRegistry, publish: Publisher, there: FolderRegistry
) -> None:
    publish("bundle", to=EXPORT, parents=("acme/other/model:v9",))

    pushed(registry, there, str(EXPORT))

    assert there.resolve(parse("acme/numbers/digits-cnn-export")).parents == ("acme/other/model:v9",)


def test_a_parent_that_is_gone_is_named(registry: FolderRegistry, publish: Publisher, there: FolderRegistry) -> None:
    publish("bundle", to=EXPORT, parents=("local/digits/digits-cnn:v1",))

    with pytest.raises(NotFoundError, match=r"digits-cnn-export:v0 was made from local/digits/digits-cnn:v1, which is"):
        pushed(registry, there, str(EXPORT))
    assert there.collections() == []


def test_a_version_that_is_its_own_parent_is_refused(
    registry: FolderRegistry, publish: Publisher, there: FolderRegistry
) -> None:
    publish("a", parents=(str(MODEL.at("v0")),))

    with pytest.raises(UsageError, match="lists itself as its parent"):
        pushed(registry, there, str(MODEL))


COMMAND = """
import sys
from lit_infer.artifacts.cli import main
sys.argv = ["lit-registry", *{arguments!r}]
main()
"""


@pytest.mark.slow
def test_over_w_and_b_the_lineage_is_there_and_the_second_push_sends_nothing(
    own_folders: Path, tmp_path: Path, client: Client
) -> None:
    publish = Publisher(FolderRegistry(own_folders / "registry"), tmp_path / "source")
    publish("weights", aliases=("best",))
    publish("bundle", to=EXPORT, parents=("local/digits/digits-cnn:v0",))
    line = ["push", str(EXPORT), "--to", "user/proj", "--alias", "candidate"]

    first, second = (client(COMMAND.format(arguments=line)) for _ in range(2))
    shown = client(COMMAND.format(arguments=["show", "user/proj/digits-cnn-export:candidate"]))

    assert (first.returncode, first.stdout) == (0, "user/proj/digits-cnn-export:v0\n"), first.stderr
    assert "local/digits/digits-cnn:v0 -> user/proj/digits-cnn:v0\n" in first.stderr
    assert (second.returncode, second.stdout) == (0, first.stdout), second.stderr
    assert second.stderr.count("(already there)") == 2
    facts = dict(line.split(maxsplit=1) for line in shown.stdout.replace("made from", "parent").splitlines())
    assert facts["parent"].strip() == "user/proj/digits-cnn:v0"
    assert set(facts["aliases"].strip().split(", ")) == {"candidate", "latest"}
