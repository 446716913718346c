import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.gc import Collected, collect
from lit_infer.artifacts.records import Head
from lit_infer.artifacts.reference import parse
from lit_infer.errors import ArtifactError, NotFoundError
from tests.inference.artifacts.publisher import MODEL, Publisher, home, numbers

EXPORT = parse("local/digits/digits-cnn-export")


def removed(found: Collected) -> list[str]:
    return [version.reference.alias for version in found.removed]


def hidden(registry: FolderRegistry) -> list[str]:
    return [path.name for path in home(registry).glob(".*") if path.name not in (".contents", ".lock")]


def test_versions_without_an_alias_go_and_all_others_stay(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a", aliases=("production",))
    publish("b")
    publish("c")
    publish("d")

    assert removed(collect(registry)) == ["v1", "v2"]

    assert numbers(registry) == ["v0", "v3"]
    assert (registry.fetch(MODEL.at("production")) / "model.ckpt").read_text() == "a"
    with pytest.raises(NotFoundError, match="has no 'v1'"):
        registry.fetch(MODEL.at("v1"))
    assert removed(collect(registry)) == []


def test_a_dry_run_says_the_same_and_removes_nothing(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    publish("b")
    (home(registry) / ".staging-dead").mkdir()

    dry = collect(registry, dry_run=True)

    assert numbers(registry) == ["v0", "v1"]
    assert (home(registry) / ".staging-dead").is_dir()
    assert collect(registry) == dry
    assert (removed(dry), dry.leftovers, dry.bytes) == (["v0"], 1, 1)


def test_what_a_staying_version_was_made_from_stays(registry: FolderRegistry, publish: Publisher) -> None:
    publish("ancestor")
    publish("parent", parents=("local/digits/digits-cnn:v0",))
    publish("unrelated")
    publish("latest")
    publish("bundle", to=EXPORT, parents=("local/digits/digits-cnn:v1", "acme/elsewhere/model:v9", "no reference:"))

    assert removed(collect(registry)) == ["v2"]
    assert numbers(registry) == ["v0", "v1", "v3"]


def test_an_unreferenced_version_and_its_parents_go_together(registry: FolderRegistry, publish: Publisher) -> None:
    publish("parent")
    publish("latest")
    publish("bundle", to=EXPORT, parents=("local/digits/digits-cnn:v0",))
    publish("newer bundle", to=EXPORT)

    assert len(collect(registry).removed) == 2
    assert numbers(registry) == ["v1"]


def test_versions_that_name_each_other_as_parents_end_it_too(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a", parents=("local/digits/digits-cnn:v1",))
    publish("b", parents=("local/digits/digits-cnn:v0",))
    publish("c", parents=("local/digits/digits-cnn:v2",))

    assert removed(collect(registry)) == ["v0", "v1"]


def test_a_version_that_goes_while_its_alias_moves_is_no_error_to_a_reader(
    registry: FolderRegistry, publish: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("a")
    read_head = registry._head

    def overtaken(*arguments: Any, **how: Any) -> Head:
        """What the reader has read is out of date before it looks for the version."""
        head = read_head(*arguments, **how)
        monkeypatch.setattr(registry, "_head", read_head)
        publish("b")
        assert removed(collect(registry)) == ["v0"]
        return head

    monkeypatch.setattr(registry, "_head", overtaken)

    assert (registry.fetch(MODEL) / "model.ckpt").read_text() == "b"


def test_a_number_is_not_given_again_after_its_version_went(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    before = (home(registry) / "aliases.json").read_bytes()
    publish("killed before its aliases were written")
    (home(registry) / "aliases.json").write_bytes(before)

    assert removed(collect(registry)) == ["v1"]

    assert publish("b").reference == MODEL.at("v2")


def test_leftovers_of_killed_writers_go(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    (home(registry) / ".staging-abc/files").mkdir(parents=True)
    (home(registry) / ".staging-abc/files/model.ckpt").write_text("half")
    (home(registry) / ".trash-v7").mkdir()
    (home(registry) / ".aliases.json.xyz").touch()
    unnamed = registry.root / "local/digits/killed-at-its-first/v0"
    unnamed.mkdir(parents=True)

    assert collect(registry).leftovers == 4

    assert not hidden(registry)
    assert not unnamed.exists()
    assert numbers(registry) == ["v0"]


def test_what_a_living_writer_stages_stays(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")

    with registry.staging(home(registry)) as stage:
        assert collect(registry).leftovers == 0
        assert stage.is_dir()


READER = """
import sys
from pathlib import Path
from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.records import Head
from lit_infer.artifacts.reference import parse

folder = FolderRegistry(Path(sys.argv[1])).fetch(parse(sys.argv[2]))
print("fetched", flush=True)
sys.stdin.readline()
print((folder / "model.ckpt").read_text())
"""


def test_a_version_that_a_process_has_fetched_stays_until_it_ends(registry: FolderRegistry, publish: Publisher) -> None:
    publish("parent")
    publish("in use", parents=("local/digits/digits-cnn:v0",))
    publish("unused")
    publish("latest")
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, registry.root, "local/digits/digits-cnn:v1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "fetched\n"

    dry, found = collect(registry, dry_run=True), collect(registry)
    said = reader.communicate("go\n")[0]

    assert dry == found
    assert [version.reference.alias for version in found.in_use] == ["v1"]
    assert (removed(found), said) == (["v2"], "in use\n")
    assert removed(collect(registry)) == ["v0", "v1"]


def test_files_that_a_staying_version_shares_are_not_counted_as_freed(
    registry: FolderRegistry, publish: Publisher
) -> None:
    publish("shared", "own")
    publish("shared")

    assert collect(registry).bytes == len("own")
    assert (registry.fetch(MODEL) / "model.ckpt").read_text() == "shared"
    assert len(list((home(registry) / ".contents").iterdir())) == 1


def test_a_damaged_record_stops_it(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    publish("b", to=EXPORT)
    publish("c")
    (registry.root / EXPORT.collection / "v0/version.json").write_text("{")

    with pytest.raises(ArtifactError, match=r"version\.json is damaged"):
        collect(registry)
    assert numbers(registry) == ["v0", "v1"]


def test_an_empty_registry_is_clean_and_is_not_made(registry: FolderRegistry) -> None:
    assert collect(registry) == Collected((), (), leftovers=0, bytes=0)
    assert not registry.root.exists()


EVERY_STEP = """
import os
import signal
import sys
from pathlib import Path
from lit_infer.artifacts.contents import verify
from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.gc import collect
from lit_infer.artifacts.records import Record, read
from lit_infer.artifacts.records import Head
from lit_infer.artifacts.reference import parse

root, model = Path(sys.argv[1]), parse("local/digits/digits-cnn")
source = root / "source"
source.mkdir()

def die_at(step):
    left = step
    def hook(event, arguments):
        nonlocal left
        if event.partition(".")[0] in ("open", "os", "shutil", "fcntl", "tempfile"):
            left -= 1
            if left == -1:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

status, step = 1, -1
while status:
    step += 1
    registry = FolderRegistry(root / str(step))

    def publish(text):
        (source / "model.ckpt").write_text(text)
        return registry.publish(source, model, type="model").reference.alias

    seen = [publish(text) for text in "abc"]
    if (child := os.fork()) == 0:
        die_at(step)
        collect(registry)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
    for version in registry.versions(model):
        folder = registry.version_folder(version.reference)
        verify(folder / "files", read(folder / "version.json", Record).files)  # fetching would keep gc off
    assert registry.resolve(model).reference.alias == seen[-1]
    assert publish("d") not in seen
    collect(registry)
    assert [version.reference.alias for version in registry.versions(model)] == ["v3"]
    left = sorted(path.name for path in (root / str(step) / model.collection).glob(".*"))
    assert left == [".contents"], left
print(step)
"""


@pytest.mark.slow
def test_it_may_be_killed_before_any_of_its_steps(tmp_path: Path) -> None:
    """Each child is killed one system call later than the one before, until one gets through."""
    done = subprocess.run([sys.executable, "-c", EVERY_STEP, tmp_path], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 20


def test_a_version_removed_by_hand_is_no_obstacle(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    publish("b")
    publish("c")
    shutil.rmtree(home(registry) / "v1")

    assert removed(collect(registry)) == ["v0"]
