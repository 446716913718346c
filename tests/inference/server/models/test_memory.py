"""A model that is replaced gives its memory back."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from onnx import numpy_helper

from lit_infer import manifest
from lit_infer.server.models.memory import give_back
from lit_infer.server.models.open_limit import resident
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.inference.tiny import graph_bytes, listed, rewrite
from tests.support.server.proven import PARITY, make_proven

OWN = Path("/proc/self").resolve().name


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with ten megabytes of weights that it does not need."""
    made = make_proven(tmp_path_factory.mktemp("large") / "colours")
    facts = manifest.read(made)
    model = onnx.load_from_string(graph_bytes(facts.embedded()))
    weights = np.random.default_rng(0).normal(size=2_500_000).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "more"))
    model.graph.node.insert(0, onnx.helper.make_node("ReduceMin", ["more"], ["least"], keepdims=0))
    model.graph.node[-1].output[0] = "own"
    model.graph.node.append(onnx.helper.make_node("Min", ["own", "most"], ["probabilities"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "most"))
    (made / "model.onnx").write_bytes(model.SerializeToString())
    return rewrite(made, graphs=(replace(listed(made / "model.onnx", "onnx"), parity=PARITY),))


def test_forty_reloads_leave_the_memory_as_it_was(large: Path) -> None:
    repository = Repository(parse([str(large)]), Opening(device="cpu"))
    for _ in range(3):
        repository.load("colours")
    before = resident(int(OWN))

    for _ in range(40):
        repository.load("colours")

    assert resident(int(OWN)) - before < 60 * 2**20
    repository.close()


def test_a_model_that_was_there_at_the_start_is_released_too(proven: Path) -> None:
    repository = Repository(parse([str(proven)]), Opening(device="cpu"))
    first = weakref.ref(repository.slots[0].served)
    gc.collect()
    gc.freeze()  # as the server does when it starts
    try:
        repository.load("colours")
    finally:
        gc.unfreeze()

    assert first() is None
    repository.close()


def test_it_can_be_called_at_any_time() -> None:
    give_back()


# What decoding large images in two threads does: blocks of 16 MB that are held together, with small ones after them.
BLOCKS = """
import ctypes, os, sys, threading
from pathlib import Path
from lit_infer.server.models import memory
from lit_infer.server.models.open_limit import resident
if sys.argv[1] == "returned":
    memory.return_large_blocks()
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def hold():
    for _ in range(3):
        blocks = []
        for _ in range(4):
            blocks.append(libc.malloc(16 * 2**20))
            ctypes.memset(blocks[-1], 1, 16 * 2**20)
            libc.malloc(1000)
        for block in blocks:
            libc.free(block)
before = resident(os.getpid())
threads = [threading.Thread(target=hold) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print((resident(os.getpid()) - before) // 2**20)
"""


def megabytes_kept(how: str, **environment: str) -> int:
    line = [sys.executable, "-c", BLOCKS, how]
    found = subprocess.run(line, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return int(found.stdout)


def test_large_blocks_go_back_to_the_system_unless_the_user_has_set_otherwise() -> None:
    assert megabytes_kept("returned") < 20
    assert megabytes_kept("kept") > 40
    assert megabytes_kept("returned", MALLOC_MMAP_THRESHOLD_="33554432") > 40
