"""Many writers, killed at random, a reader all the while, and gc."""

import subprocess
import sys
from pathlib import Path

import pytest

STRESS = """
import os
import random
import signal
import sys
from pathlib import Path
from lit_infer.artifacts.contents import verify
from lit_infer.artifacts.folder import FolderRegistry
from lit_infer.artifacts.gc import collect
from lit_infer.artifacts.records import Record, read
from lit_infer.artifacts.reference import parse

root, writers, count, with_gc = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "gc"
model = parse("local/digits/digits-cnn")
registry = FolderRegistry(root / "registry")

def announced(slot):
    log = root / f"log-{slot}"
    return log.read_text().split() if log.exists() else []

def write(slot, life):
    chance = random.Random(f"{slot} {life}")
    source = root / f"source-{slot}"
    source.mkdir(exist_ok=True)
    (source / "common.txt").write_text(str(slot % 3))
    left = chance.randrange(20, 3000)
    def hook(event, arguments):
        nonlocal left
        if event.partition(".")[0] in ("open", "os", "shutil", "fcntl", "tempfile"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    if with_gc:
        collect(registry)
    while len(announced(slot)) < count:
        (source / "model.ckpt").write_text(f"{slot} {life} {left}")
        version = registry.publish(source, model, type="model", aliases=(f"writer-{slot}",))
        with (root / f"log-{slot}").open("a") as log:
            log.write(version.reference.alias + "\\n")

def read_on():
    os.nice(15)  # the writers are what is tested most
    while True:
        folder = registry.fetch(model)
        assert sorted(path.name for path in folder.iterdir()) == ["common.txt", "model.ckpt"]

def forked(work, *arguments):
    if (child := os.fork()) == 0:
        try:
            work(*arguments)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return child

def check():
    for version in registry.versions(model):
        folder = registry.version_folder(version.reference)
        verify(folder / "files", read(folder / "version.json", Record).files)
    for alias in ("latest", *(f"writer-{slot}" for slot in range(writers))):
        registry.fetch(model.at(alias))

(root / "first").mkdir()
for name in ("common.txt", "model.ckpt"):
    (root / "first" / name).write_text("first")
registry.publish(root / "first", model, type="model")
reader = forked(read_on)
running = {forked(write, slot, 0): (slot, 0) for slot in range(writers)}
kills = 0
while running:
    child, status = os.wait()
    assert child != reader, status
    slot, life = running.pop(child)
    if os.WIFSIGNALED(status):
        kills += 1
        running[forked(write, slot, life + 1)] = (slot, life + 1)
    else:
        assert status == 0
os.kill(reader, signal.SIGKILL)
assert os.WTERMSIG(os.waitpid(reader, 0)[1]) == signal.SIGKILL

check()
numbers = [number for slot in range(writers) for number in announced(slot)]
assert len(set(numbers)) == len(numbers) == writers * count
present = {version.reference.alias for version in registry.versions(model)}
assert with_gc or set(numbers) <= present
collect(registry)
check()
assert not list((root / "registry" / model.collection).glob(".staging-*"))
print(kills)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("count", "gc"), [(200, "keep"), (40, "gc")])
def test_writers_killed_at_random_lose_nothing_that_was_announced(tmp_path: Path, count: int, gc: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STRESS, tmp_path, "8", str(count), gc], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 10
