import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.reference import Reference, parse
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from tests.inference.artifacts.publisher import MODEL, Publisher, home, numbers


def test_what_was_published_is_fetched(registry: FolderRegistry, publish: Publisher) -> None:
    version = publish("weights", "and more")

    folder = registry.fetch(MODEL)

    assert str(version.reference) == "local/digits/digits-cnn:v0"
    assert version.bytes == len("weights") + len("and more")
    assert {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()} == {
        "model.ckpt": "weights",
        "more/1.txt": "and more",
    }


@given(
    contents=st.dictionaries(
        st.from_regex(r"[a-z0-9 ._äß-]{1,12}(/[a-z]{1,5}){0,2}", fullmatch=True).filter(
            lambda name: name.partition("/")[0].strip(". ")
        ),
        st.binary(max_size=200),
        min_size=1,
        max_size=4,
    ).filter(lambda files: not any(b.startswith(f"{a}/") for a in files for b in files))
)
@settings(max_examples=25)
def test_any_files_come_back_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, contents: Mapping[str, bytes]
) -> None:
    source = tmp_path_factory.mktemp("source")
    for name, data in contents.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    registry = FolderRegistry(tmp_path_factory.mktemp("registry"))

    registry.publish(source, MODEL, type="model")

    folder = registry.fetch(MODEL)
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == contents


def test_a_copy_is_kept_so_that_the_source_may_change(registry: FolderRegistry, publish: Publisher) -> None:
    publish("first")
    (publish.folder / "model.ckpt").write_text("other")

    assert (registry.fetch(MODEL) / "model.ckpt").read_text() == "first"


def test_an_equal_file_is_stored_once_and_never_shared_with_the_source(
    registry: FolderRegistry, publish: Publisher
) -> None:
    first = publish("a", "common")
    second = publish("b", "common", "common")

    files = [
        registry.version_folder(MODEL.at(name)) / "files" / path
        for name, path in (("v0", "more/1.txt"), ("v1", "more/1.txt"), ("v1", "more/2.txt"))
    ]
    assert len({file.stat().st_ino for file in files}) == 1
    assert (publish.folder / "more/1.txt").stat().st_nlink == 1
    for version in (first, second):
        registry.fetch(version.reference)


def test_a_stored_file_cannot_be_overwritten_by_accident(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")

    assert not (registry.fetch(MODEL) / "model.ckpt").stat().st_mode & 0o222
    assert (publish.folder / "model.ckpt").stat().st_mode & 0o200


def test_a_stored_file_that_was_changed_is_not_used_for_another_version(
    registry: FolderRegistry, publish: Publisher
) -> None:
    publish("a", "common")
    stored = registry.fetch(MODEL) / "more/1.txt"
    stored.chmod(0o644)
    stored.write_text("COMMON")

    publish("b", "common")
    publish("c", "common")

    assert (registry.fetch(MODEL.at("v1")) / "more/1.txt").read_text() == "common"
    inodes = {(registry.fetch(MODEL.at(name)) / "more/1.txt").stat().st_ino for name in ("v1", "v2")}
    assert len(inodes) == 1
    with pytest.raises(ArtifactError, match="was changed"):
        registry.fetch(MODEL.at("v0"))


def test_without_hard_links_every_version_has_its_copy(
    registry: FolderRegistry, publish: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    publish("a", "common")
    publish("b", "common")

    assert all((registry.fetch(MODEL.at(name)) / "more/1.txt").stat().st_nlink == 1 for name in ("v0", "v1"))


def test_versions_count_up_and_latest_follows(registry: FolderRegistry, publish: Publisher) -> None:
    assert [publish(text).reference.alias for text in "abc"] == ["v0", "v1", "v2"]
    assert numbers(registry) == ["v0", "v1", "v2"]
    assert registry.resolve(MODEL.at("latest")).reference == MODEL.at("v2")
    assert (registry.fetch(MODEL.at("v1")) / "model.ckpt").read_text() == "b"


def test_versions_are_listed_oldest_first_also_past_the_tenth(registry: FolderRegistry, publish: Publisher) -> None:
    for number in range(12):
        publish(str(number))

    assert numbers(registry) == [f"v{number}" for number in range(12)]


def test_aliases_go_to_the_version_they_were_given_with(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a", aliases=("best", "epoch-1"))
    version = publish("b", aliases=("best",))

    assert version.aliases == ("best", "latest")
    assert registry.resolve(MODEL.at("best")) == version
    assert registry.resolve(MODEL.at("v0")).aliases == ("epoch-1",)


def test_the_same_files_again_give_the_same_version_and_move_the_aliases(
    registry: FolderRegistry, publish: Publisher
) -> None:
    first = publish("a", "b")

    again = publish("a", "b", aliases=("best",))

    assert again.reference == first.reference
    assert again.aliases == ("best", "latest")
    assert numbers(registry) == ["v0"]


def test_the_files_of_an_older_version_give_a_new_version(registry: FolderRegistry, publish: Publisher) -> None:
    first = publish("a")
    publish("b")
    third = publish("a")

    assert third.reference == MODEL.at("v2")
    assert third.digest == first.digest


def test_equal_contents_under_another_name_are_another_version(registry: FolderRegistry, publish: Publisher) -> None:
    one = publish("a")
    (publish.folder / "model.ckpt").rename(publish.folder / "renamed.ckpt")

    assert registry.publish(publish.folder, MODEL, type="model").digest != one.digest


def test_parents_and_metadata_are_kept(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    metadata = {"score": {"monitor": "val_loss", "value": 0.25}, "epoch": 3}
    parents = ("local/digits/digits-cnn:v0",)

    registry.publish(publish.folder, MODEL.at("any"), type="dataset", metadata=metadata, parents=parents)
    to = parse("local/digits/digits-cnn-export")
    registry.publish(publish.folder, to, type="bundle", metadata=metadata, parents=parents)

    found = registry.resolve(to)
    assert (found.type, found.metadata, found.parents) == ("bundle", metadata, parents)


def test_an_alias_moves_to_what_is_named(registry: FolderRegistry, publish: Publisher) -> None:
    for text in "abc":
        publish(text)

    moved = registry.move_alias("production", MODEL.at("v1"))
    assert (moved.reference, moved.aliases) == (MODEL.at("v1"), ("production",))

    registry.move_alias("production", MODEL.at("latest"))
    assert registry.resolve(MODEL.at("production")).reference == MODEL.at("v2")
    assert registry.resolve(MODEL.at("v1")).aliases == ()


@pytest.mark.parametrize("alias", ["v3", "../x", "", "a b"])
def test_a_version_or_a_malformed_name_cannot_be_an_alias(
    alias: str, registry: FolderRegistry, publish: Publisher
) -> None:
    publish("a")

    with pytest.raises(UsageError):
        registry.move_alias(alias, MODEL)
    with pytest.raises(UsageError):
        publish("b", aliases=(alias,))
    assert numbers(registry) == ["v0"]


def test_an_unknown_alias_lists_the_nearest_first(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a", aliases=("production", "best"))

    with pytest.raises(NotFoundError) as caught:
        registry.resolve(MODEL.at("prodution"))

    said = str(caught.value)
    assert "local/digits/digits-cnn has no 'prodution'; it has production, " in said
    assert all(name in said for name in ("best", "latest", "v0"))


def test_an_unknown_version_is_not_found(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")

    with pytest.raises(NotFoundError, match=r"has no 'v7'; it has .*v0"):
        registry.fetch(MODEL.at("v7"))


def test_an_unknown_collection_hints_at_the_nearest(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a", to=parse("local/faces/resnet"))
    publish("a")

    with pytest.raises(NotFoundError, match=r"no local/digits/digit-cnn .* It has local/digits/digits-cnn"):
        registry.resolve(parse("local/digits/digit-cnn"))


def test_an_empty_registry_says_that_it_is_empty(registry: FolderRegistry) -> None:
    with pytest.raises(NotFoundError, match="It is empty: train a model first"):
        registry.resolve(MODEL)
    assert registry.collections() == []


def test_asking_makes_no_collection(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a", to=parse("local/faces/resnet"))
    with pytest.raises(NotFoundError):
        registry.move_alias("best", MODEL)
    with pytest.raises(NotFoundError):
        registry.versions(MODEL)

    assert registry.collections() == ["local/faces/resnet"]


def test_a_changed_file_is_detected(registry: FolderRegistry, publish: Publisher) -> None:
    publish("weights")
    path = registry.fetch(MODEL) / "model.ckpt"

    path.chmod(0o644)
    path.write_text("WEIGHTS")

    with pytest.raises(ArtifactError, match=r"model\.ckpt was changed"):
        registry.fetch(MODEL)


def test_a_changed_record_is_detected(registry: FolderRegistry, publish: Publisher) -> None:
    version = publish("weights")
    path = registry.fetch(MODEL) / "model.ckpt"
    path.chmod(0o644)
    path.write_text("WEIGHTS")
    record = registry.version_folder(version.reference) / "version.json"
    record.write_text(
        record.read_text().replace(*(hashlib.sha256(text).hexdigest() for text in (b"weights", b"WEIGHTS")))
    )

    with pytest.raises(ArtifactError, match=r"version\.json was changed"):
        registry.fetch(MODEL)


def test_an_added_or_removed_file_is_detected_by_name(registry: FolderRegistry, publish: Publisher) -> None:
    publish("weights", "more")
    folder = registry.fetch(MODEL)

    (folder / "added.txt").touch()
    with pytest.raises(ArtifactError, match=r"added or removed .*: added\.txt$"):
        registry.fetch(MODEL)

    (folder / "added.txt").unlink()
    (folder / "more/1.txt").unlink()
    with pytest.raises(ArtifactError, match=r"added or removed .*: more/1\.txt$"):
        registry.fetch(MODEL)


def test_a_file_replaced_by_a_link_to_equal_bytes_is_detected(
    registry: FolderRegistry, publish: Publisher, tmp_path: Path
) -> None:
    publish("weights")
    path = registry.fetch(MODEL) / "model.ckpt"
    shutil.move(path, tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")

    with pytest.raises(ArtifactError, match="was changed"):
        registry.fetch(MODEL)


def test_an_added_link_to_a_folder_is_detected(registry: FolderRegistry, publish: Publisher, tmp_path: Path) -> None:
    publish("weights")
    (registry.fetch(MODEL) / "link").symlink_to(tmp_path, target_is_directory=True)

    with pytest.raises(ArtifactError, match="link"):
        registry.fetch(MODEL)


@pytest.mark.parametrize("kind", ["file", "folder", "dangling"])
def test_links_are_refused_and_leave_no_version(
    kind: str, registry: FolderRegistry, publish: Publisher, tmp_path: Path
) -> None:
    publish("a")
    target = {"file": tmp_path / "secret", "folder": tmp_path, "dangling": tmp_path / "nowhere"}[kind]
    (tmp_path / "secret").write_text("secret")
    (publish.folder / "link").symlink_to(target)

    with pytest.raises(UsageError, match="link is not a regular file"):
        registry.publish(publish.folder, MODEL, type="model")

    assert numbers(registry) == ["v0"]
    assert not list(home(registry).glob(".staging-*"))


def test_a_fifo_is_refused_and_not_read(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    os.mkfifo(publish.folder / "pipe")

    with pytest.raises(UsageError, match="pipe is not a regular file"):
        registry.publish(publish.folder, MODEL, type="model")


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_nothing_cannot_be_published(name: str, registry: FolderRegistry, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(UsageError, match="holds no files"):
        registry.publish(tmp_path / name, MODEL, type="model")
    assert registry.collections() == []


def test_no_reference_leaves_the_registry(registry: FolderRegistry, publish: Publisher, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        publish("a", to=Reference("..", "..", "escaped", "latest"))
    with pytest.raises(UsageError):
        registry.fetch(Reference("local", "digits", "..", "v0"))

    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("name", ["aliases.json", "v0/version.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"more": 1}', b"\xff"])
def test_damaged_records_are_an_artifact_error_that_names_the_file(
    name: str, content: bytes, registry: FolderRegistry, publish: Publisher
) -> None:
    publish("a")
    (home(registry) / name).write_bytes(content)

    with pytest.raises(ArtifactError, match=name):
        registry.fetch(MODEL)


def test_a_number_is_never_given_twice_even_if_its_version_was_deleted(
    registry: FolderRegistry, publish: Publisher
) -> None:
    for text in "abc":
        publish(text)
    registry.move_alias("latest", MODEL.at("v0"))
    shutil.rmtree(home(registry) / "v1")
    shutil.rmtree(home(registry) / "v2")

    assert publish("d").reference == MODEL.at("v3")
    assert numbers(registry) == ["v0", "v3"]


def test_publishing_goes_on_after_the_latest_version_was_deleted(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    publish("b")
    shutil.rmtree(home(registry) / "v1")

    assert publish("c").reference == MODEL.at("v2")
    assert (registry.fetch(MODEL) / "model.ckpt").read_text() == "c"


def test_a_deleted_version_is_not_found_under_its_alias(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    publish("b", aliases=("best",))
    shutil.rmtree(home(registry) / "v1")

    with pytest.raises(NotFoundError, match="has no 'best'"):
        registry.fetch(MODEL.at("best"))


def test_a_version_left_by_a_killed_writer_is_skipped(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    before = (home(registry) / "aliases.json").read_bytes()
    publish("killed before its aliases were written")
    (home(registry) / "aliases.json").write_bytes(before)

    assert registry.resolve(MODEL).reference == MODEL.at("v0")
    assert publish("c").reference == MODEL.at("v2")
    assert registry.resolve(MODEL).reference == MODEL.at("v2")


def test_what_a_killed_writer_staged_is_no_version(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a")
    (home(registry) / ".staging-abc/files").mkdir(parents=True)
    (home(registry) / ".staging-abc/files/model.ckpt").write_text("half")

    assert numbers(registry) == ["v0"]
    assert publish("b").reference == MODEL.at("v1")


def test_the_record_is_readable_json(registry: FolderRegistry, publish: Publisher) -> None:
    publish("a", aliases=("best",))

    assert json.loads((home(registry) / "aliases.json").read_text()) == {
        "aliases": {"best": "v0", "latest": "v0"},
        "next": 1,
    }
    assert json.loads((home(registry) / "v0/version.json").read_text())["files"]["model.ckpt"]["bytes"] == 1


WRITER = """
import sys
from pathlib import Path
from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.reference import parse

root, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
source = root / name
source.mkdir()
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    (source / "model.ckpt").write_text(f"{name} {number}" * 500)
    version = FolderRegistry(root / "registry").publish(
        source, parse("local/digits/digits-cnn"), type="model", aliases=(name,)
    )
    print(version.reference.alias, flush=True)
"""


def writer(root: Path, name: str, count: int) -> subprocess.Popen[str]:
    """A process that has imported all it needs and publishes `count` versions after a line on its stdin."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, root, name, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def start(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def assert_all_verify(registry: FolderRegistry) -> None:
    """Every version and every alias can be fetched."""
    for version in registry.versions(MODEL):
        registry.fetch(version.reference)
        for alias in version.aliases:
            assert registry.resolve(MODEL.at(alias)).reference == version.reference
    registry.fetch(MODEL)


def test_several_processes_publishing_at_once_lose_nothing(tmp_path: Path, registry: FolderRegistry) -> None:
    count = 12
    writers = {name: writer(tmp_path, name, count) for name in ("ada", "bob", "cyd")}
    for process in writers.values():
        start(process)
    given = {name: process.communicate()[0].split() for name, process in writers.items()}

    everything = [number for found in given.values() for number in found]
    assert sorted(everything, key=lambda number: int(number[1:])) == [f"v{n}" for n in range(3 * count)]
    assert numbers(registry) == [f"v{n}" for n in range(3 * count)]
    assert_all_verify(registry)
    for name, found in given.items():
        assert registry.resolve(MODEL.at(name)).reference == MODEL.at(found[-1])
        assert (registry.fetch(MODEL.at(name)) / "model.ckpt").read_text() == f"{name} {count - 1}" * 500


def test_writers_killed_in_the_middle_leave_everything_whole(tmp_path: Path, registry: FolderRegistry) -> None:
    announced: list[str] = []
    for turn in range(6):
        process = writer(tmp_path, f"writer-{turn}", 10_000)
        start(process)
        assert process.stdout is not None
        announced += [process.stdout.readline().strip() for _ in range(3 + turn)]
        process.send_signal(signal.SIGKILL)
        announced += process.communicate()[0].split()
        assert process.returncode == -signal.SIGKILL
        assert_all_verify(registry)

    assert len(set(announced)) == len(announced)
    assert set(announced) <= set(numbers(registry))


EVERY_STEP = """
import os
import signal
import sys
from pathlib import Path
from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.reference import parse

root, model = Path(sys.argv[1]), parse("local/digits/digits-cnn")
registry = FolderRegistry(root / "registry")
source = root / "source"
source.mkdir()

def publish(text):
    (source / "model.ckpt").write_text(text)
    return registry.publish(source, model, type="model", aliases=("best",)).reference.alias

def die_at(step):
    left = step
    def hook(event, arguments):
        nonlocal left
        if event.partition(".")[0] in ("open", "os", "shutil", "fcntl", "tempfile"):
            left -= 1
            if left == -1:  # and not again for the kill itself
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

seen = [publish("first")]
step = 0
while True:
    child = os.fork()
    if child == 0:
        (source / "model.ckpt").write_text(f"from {step}")
        die_at(step)
        registry.publish(source, model, type="model", aliases=("best",))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    for version in registry.versions(model):
        registry.fetch(version.reference)
    best, latest = registry.resolve(model.at("best")), registry.resolve(model)
    assert best.reference == latest.reference, (step, best, latest)
    registry.fetch(latest.reference)
    number = publish(f"after {step}")
    assert number not in seen, (step, number)
    seen.append(number)
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
    step += 1
print(step)
"""


def test_a_writer_may_be_killed_before_any_of_its_steps(tmp_path: Path) -> None:
    """Each child is killed one system call later than the one before, until one gets through."""
    done = subprocess.run([sys.executable, "-c", EVERY_STEP, tmp_path], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 10
