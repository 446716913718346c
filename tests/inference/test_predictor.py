import asyncio
import io
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lit_infer import load
from lit_infer.engines import OpenGraph
from lit_infer.errors import ArtifactError, EngineError, UsageError
from lit_infer.images.limits import Limits
from lit_infer.manifest import Tensor
from lit_infer.predictor import BatchPolicy, Choice, Prediction, Predictor, from_onnx_bytes, top_choices
from tests.inference.tiny import LABELS, colour, described, encoded, graph_bytes, make_bundle, noise, save

BAD = b"no image"


def images(count: int) -> list[Any]:
    """Images of different sizes and content."""
    return [noise(9 + 3 * number, 40 - number, seed=number) for number in range(count)]


def test_each_image_gets_its_own_answer_in_the_order_given(predictor: Predictor) -> None:
    wanted = [LABELS[place] for place in np.random.default_rng(0).integers(0, 3, 50)]

    found = predictor.predict([colour(label) for label in wanted], batch_size=4)

    assert [prediction.label for prediction in found] == wanted
    assert [prediction.index for prediction in found] == [LABELS.index(label) for label in wanted]


def test_the_top_classes_are_the_graphs_probabilities_best_first(predictor: Predictor) -> None:
    pixels = noise(8, 8)

    (found,) = predictor.predict([pixels])

    scores = predictor.run({"images": pixels[None]})["probabilities"][0]
    assert [choice.score for choice in found.top] == sorted(scores.tolist(), reverse=True)
    assert found.top == tuple(Choice(LABELS[c.index], c.index, float(scores[c.index])) for c in found.top)
    assert (found.label, found.index, found.score) == (found.top[0].label, found.top[0].index, found.top[0].score)
    assert (found.error, found.code) == (None, None)


def test_equal_scores_are_ordered_by_index() -> None:
    scores = np.array([[0.01, 0.02] * 33], dtype=np.float32)
    graph = OpenGraph(run=lambda _: [scores], engine="none", device="cpu", embedded=None)
    outputs = (Tensor(name="probabilities", dtype="float32", shape=("batch", 66)),)

    (found,) = Predictor(described(outputs=outputs, labels=None), graph, threads=1).predict([colour("red")], top_k=66)

    assert [choice.index for choice in found.top] == [*range(1, 66, 2), *range(0, 66, 2)]


@given(kinds=st.lists(st.sampled_from(["good", "bad"]), min_size=1, max_size=25), batch_size=st.integers(1, 9))
@settings(max_examples=60)
def test_a_bad_item_fails_alone_and_its_neighbours_do_not_notice(
    predictor: Predictor, kinds: list[str], batch_size: int
) -> None:
    good = images(len(kinds))
    items = [item if kind == "good" else BAD for kind, item in zip(kinds, good, strict=True)]

    expected = predictor.predict(good, batch_size=batch_size)
    found = predictor.predict(items, batch_size=batch_size)

    for kind, without_it, prediction in zip(kinds, expected, found, strict=True):
        if kind == "good":
            assert prediction == without_it  # every bit of every score
        else:
            assert prediction == Prediction(None, error=prediction.error, code="unknown_format")
            assert prediction.error


def test_every_item_may_be_bad(predictor: Predictor) -> None:
    found = predictor.predict([BAD, b"", Path("nowhere.png")], batch_size=2)

    assert [prediction.code for prediction in found] == ["unknown_format", "empty", "not_found"]


@given(st.binary(max_size=50) | st.integers() | st.none() | st.lists(st.integers()) | st.text(max_size=20))
@settings(max_examples=60)
def test_whatever_an_item_is_the_next_one_is_answered(predictor: Predictor, item: Any) -> None:
    bad, good = predictor.predict([item, colour("blue")])

    assert bad.code in ("empty", "unknown_format", "undecodable", "bad_type", "not_found", "not_a_file")
    assert good.label == "blue"


def test_an_open_image_that_turns_out_truncated_fails_alone(predictor: Predictor) -> None:
    data = encoded(Image.fromarray(noise(64, 64)), "PNG")

    with Image.open(io.BytesIO(data[: len(data) // 2])) as broken:
        bad, good = predictor.predict([broken, colour("blue")])

    assert bad.code == "undecodable"
    assert good.label == "blue"


def test_a_path_a_string_bytes_an_image_and_an_array_are_answered_alike(predictor: Predictor, tmp_path: Path) -> None:
    path = save(tmp_path / "image.png", noise(37, 53))
    with Image.open(path) as image:
        found = predictor.predict([path, str(path), path.read_bytes(), image, np.asarray(image)], batch_size=5)

    assert [prediction.path for prediction in found] == [str(path), str(path), None, None, None]
    assert len({prediction.top for prediction in found}) == 1


def test_the_batch_size_does_not_decide_the_answer(predictor: Predictor) -> None:
    items = images(13)
    expected = predictor.predict(items, batch_size=1)

    for batch_size in (2, 5, 13, 100):
        found = predictor.predict(items, batch_size=batch_size)
        assert [one.label for one in found] == [one.label for one in expected]
        np.testing.assert_allclose([one.score for one in found], [one.score for one in expected], rtol=1e-5)


def test_nothing_gives_nothing(predictor: Predictor) -> None:
    assert predictor.predict([]) == []


@pytest.mark.parametrize("top_k", [1, 2, 3, 4, 1000])
def test_there_are_at_most_as_many_choices_as_classes(top_k: int, predictor: Predictor) -> None:
    (found,) = predictor.predict([colour("red")], top_k=top_k)

    assert len(found.top) == min(top_k, 3)


def test_without_labels_the_indices_serve(tmp_path: Path) -> None:
    model = load(make_bundle(tmp_path / "bundle", labels=None), device="cpu")

    (found,) = model.predict([colour("blue")])

    assert (found.label, found.index) == ("2", 2)


@pytest.mark.parametrize(
    "items", ["a.png", b"\x89PNG", bytearray(b"P"), memoryview(b"P"), io.BytesIO(b"P"), Path("a.png")]
)
def test_one_item_in_place_of_a_list_is_refused(items: Any, predictor: Predictor) -> None:
    with pytest.raises(UsageError, match="put the one item in brackets"):
        predictor.predict(items)


@pytest.mark.parametrize("options", [{"top_k": 0}, {"batch_size": 0}, {"top_k": -1}])
def test_numbers_below_one_are_refused(options: dict[str, int], predictor: Predictor) -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        predictor.predict([colour("red")], **options)


class Source:
    """An iterable that knows how many of its items were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        while True:
            self.taken += 1
            yield colour("green")


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_stream_takes_nothing_before_it_is_asked_and_then_at_most_a_batch_more_than_it_has_threads(
    batch_size: int, predictor: Predictor
) -> None:
    source = Source()
    stream = predictor.stream(source, batch_size=batch_size)
    assert source.taken == 0

    for answered in range(10 * batch_size):
        assert next(stream).label == "green"
        held = source.taken - answered
        assert held <= (predictor.threads + 2) * batch_size, (
            f"{held} images held after {answered} answers, in batches of {batch_size}"
        )
    stream.close()


def test_a_stream_that_is_closed_takes_nothing_more_and_a_closed_model_leaves_no_threads(bundle_folder: Path) -> None:
    source, before = Source(), set(threading.enumerate())
    with load(bundle_folder, device="cpu") as model:
        stream = model.stream(source, batch_size=2)
        next(stream)
        stream.close()

        taken = source.taken
        assert next(stream, None) is None
        assert source.taken == taken
        model.submit(colour("red")).result()
    assert set(threading.enumerate()) <= before


def test_a_slow_source_does_not_hold_back_what_is_done(predictor: Predictor) -> None:
    answered = threading.Event()

    def source() -> Iterator[Any]:
        yield from [colour("red")] * many
        assert answered.wait(60)  # nothing more comes before an answer has
        yield colour("blue")

    many = 4 * predictor.threads
    stream = predictor.stream(source(), batch_size=1)

    assert next(stream).label == "red"
    answered.set()
    assert [one.label for one in stream] == ["red"] * (many - 1) + ["blue"]


def test_an_error_of_the_source_itself_reaches_the_caller(predictor: Predictor) -> None:
    def source() -> Iterator[Any]:
        yield colour("red")
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        predictor.predict(source(), batch_size=1)


def test_several_threads_may_share_a_model(predictor: Predictor) -> None:
    lists = [[colour(LABELS[(start + step) % 3]) for step in range(9)] for start in range(8)]
    expected = [predictor.predict(items, batch_size=3) for items in lists]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda items: predictor.predict(items, batch_size=3), lists))

    assert found == expected


def test_the_bare_graph_runs_on_arrays_by_name(predictor: Predictor) -> None:
    found = predictor.run({"images": np.stack([colour("red"), colour("blue")])})

    assert list(found) == ["probabilities"]
    assert found["probabilities"].argmax(-1).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "the graph takes images, not "),
        ({"pixels": np.zeros((1, 8, 8, 3), np.uint8)}, "the graph takes images, not pixels"),
        ({"images": np.zeros((1, 8, 8, 3), np.uint8), "more": np.zeros(1)}, "not images, more"),
        ({"images": np.zeros((1, 8, 8, 3), np.float32)}, "images is uint8 .* not float32"),
        ({"images": np.zeros((1, 3, 8, 8), np.uint8)}, r"\['batch', 8, 8, 3\], not uint8 \[1, 3, 8, 8\]"),
        ({"images": np.zeros((8, 8, 3), np.uint8)}, r"not uint8 \[8, 8, 3\]"),
    ],
)
def test_arrays_of_another_name_type_or_shape_are_refused(
    inputs: dict[str, Any], said: str, predictor: Predictor
) -> None:
    with pytest.raises(UsageError, match=said):
        predictor.run(inputs)


def test_an_engine_may_be_any_function() -> None:
    graph = OpenGraph(
        run=lambda arrays: [np.eye(3, dtype=np.float32)[[1] * len(arrays[0])]],
        engine="none",
        device="cpu",
        embedded=None,
    )

    (found,) = Predictor(described(), graph, threads=1).predict([colour("red")])

    assert (found.label, found.score) == ("green", 1.0)


def rows(arrays: Any) -> list[Any]:
    """A stand-in for a graph: the mean colour of each image, as float32 [batch, 3]."""
    return [arrays[0].mean((1, 2), dtype=np.float32)]


def stand_in(run: Any = rows, *, threads: int = 1, **changes: Any) -> Predictor:
    """A model whose graph is a function."""
    graph = OpenGraph(run=run, engine="none", device="cpu", embedded=None)
    return Predictor(described(**changes), graph, threads=threads)


def test_a_model_for_tensors_takes_rows_and_whole_arrays() -> None:
    model = stand_in(task="tensor", labels=None)

    (found,) = model.predict([{"images": colour("red")}])

    assert found.answer.outputs["probabilities"].argmax() == 0
    with pytest.raises(UsageError, match="colours takes rows, not images"):
        model.prepare(colour("red"))
    assert model.run({"images": colour("red")[None]})["probabilities"].argmax() == 0


def test_an_embedding_is_the_graphs_row_and_has_no_label() -> None:
    model = stand_in(task="image-embedding", labels=None)

    good, bad = model.predict([colour("green", 90), BAD])

    assert good.embedding is not None
    assert good.embedding.dtype == np.float32
    assert good.embedding.tolist() == [0, 90, 0]
    assert (good.label, good.score, good.top, good.error) == (None, None, (), None)
    assert (bad.embedding, bad.code) == (None, "unknown_format")


def test_an_image_that_preprocessing_leaves_in_another_size_fails_alone() -> None:
    model = stand_in(preprocess=())

    small, good = model.predict([np.zeros((1, 1, 3), dtype=np.uint8), colour("blue")])

    assert (small.code, good.label) == ("bad_shape", "blue")
    assert small.error == "1 x 1 pixels after preprocessing; the model takes 8 x 8"


@pytest.mark.parametrize("ask", ["predict", "stream"])
def test_what_makes_no_sense_is_refused_at_the_call(ask: str, predictor: Predictor) -> None:
    for items, options in (("image.png", {}), ([], {"top_k": 0}), ([], {"batch_size": 0})):
        with pytest.raises(UsageError):
            getattr(predictor, ask)(items, **options)


def test_one_image_in_place_of_a_list_is_refused(predictor: Predictor) -> None:
    with pytest.raises(UsageError, match="in brackets"):
        predictor.predict(Image.fromarray(colour("red")))  # type: ignore[arg-type]


def test_timings_are_given_when_asked_for(predictor: Predictor, tmp_path: Path) -> None:
    path = save(tmp_path / "image.png", noise(200, 100))

    (without,) = predictor.predict([path])
    found, bad = predictor.predict([path, BAD], timings=True)

    assert without.timings is None
    assert bad.timings is None
    assert found.timings is not None
    assert min(found.timings.read_ms, found.timings.decode_ms, found.timings.resize_ms, found.timings.infer_ms) > 0
    assert found == without


def test_limits_hold_for_a_model_and_can_be_changed_for_a_call(bundle_folder: Path) -> None:
    strict, item = Limits(max_pixels=100), noise(20, 20)

    with load(bundle_folder, device="cpu", limits=strict) as model:
        assert model.predict([item])[0].code == "too_many_pixels"
        assert model.submit(item).result().code == "too_many_pixels"
        assert model.predict([item], limits=Limits())[0].code is None
        assert [one.code for one in model.stream([item], limits=Limits())] == [None]


def test_submitted_items_are_answered_as_by_predict(predictor: Predictor) -> None:
    items = [*images(20), BAD]

    futures = [predictor.submit(item, top_k=2) for item in items]

    for future, expected in zip(futures, predictor.predict(items, top_k=2, batch_size=1), strict=True):
        found = future.result()
        assert (found.label, found.code, len(found.top)) == (expected.label, expected.code, len(expected.top))


def test_submitted_items_become_batches() -> None:
    sizes, entered, gate = [], threading.Event(), threading.Event()

    def run(arrays: Any) -> list[Any]:
        sizes.append(len(arrays[0]))
        entered.set()
        assert gate.wait(60)
        return rows(arrays)

    with stand_in(run) as model:
        futures = [model.submit(colour("red"))]
        assert entered.wait(60)
        futures += [model.submit(colour("blue")) for _ in range(10)]
        gate.set()
        assert [future.result().label for future in futures] == ["red"] + ["blue"] * 10

    assert sizes == [1, 8, 2]


def test_many_tasks_of_asyncio_share_a_model(predictor: Predictor) -> None:
    async def ask() -> list[list[Prediction]]:
        lists = [[colour(LABELS[(start + step) % 3]) for step in range(30)] for start in range(5)]
        return await asyncio.gather(*(predictor.apredict(items) for items in lists))

    found = asyncio.run(ask())

    assert [[one.index for one in part] for part in found] == [[(s + n) % 3 for n in range(30)] for s in range(5)]


def test_a_cancelled_task_drops_what_it_has_waiting() -> None:
    seen, entered, gate = [], threading.Event(), threading.Event()

    def run(arrays: Any) -> list[Any]:
        seen.append(len(arrays[0]))
        entered.set()
        assert gate.wait(60)
        return rows(arrays)

    async def ask(model: Predictor) -> None:
        task = asyncio.create_task(model.apredict([colour("red")] * 16))
        await asyncio.to_thread(entered.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()

    with stand_in(run) as model:
        asyncio.run(ask(model))

    assert sum(seen) < 16


def test_a_closed_model_says_so_and_may_be_closed_again(bundle_folder: Path) -> None:
    model = load(bundle_folder, device="cpu")
    stream = model.stream([colour("red")] * 100, batch_size=1)
    next(stream)
    model.close()
    model.close()

    for ask in (
        lambda: model.predict([colour("red")]),
        lambda: model.stream([]),
        lambda: model.submit(colour("red")),
        lambda: model.run({"images": colour("red")[None]}),
        lambda: list(stream),
    ):
        with pytest.raises(UsageError, match="closed: load it again"):
            ask()


def test_the_graph_may_come_as_bytes() -> None:
    with from_onnx_bytes(graph_bytes(described().embedded()), device="cpu") as model:
        assert [one.label for one in model.predict([colour("green")] * 20)] == ["green"] * 20
        assert model.manifest == described().embedded()
    with pytest.raises(ArtifactError, match="the graph carries no lit-deploy manifest"):
        from_onnx_bytes(graph_bytes(None))
    with pytest.raises(EngineError, match="cannot open it"):
        from_onnx_bytes(b"no graph")


def test_a_model_cannot_be_pickled_and_says_what_to_do(predictor: Predictor) -> None:
    with pytest.raises(UsageError, match=r"colours: an open model cannot be pickled.*call lit_infer\.load there"):
        pickle.dumps(predictor)


FORKED = """
import os, sys, warnings
import numpy as np
from lit_infer import EngineError, load

warnings.simplefilter("ignore", DeprecationWarning)  # of fork in a process with threads: what is tested
model, image = load(sys.argv[1], device="cpu", threads=2), np.full((9, 9, 3), [0, 0, 200], dtype=np.uint8)
model.predict([image] * 100), model.submit(image).result()
if (child := os.fork()) == 0:
    for ask in (lambda: model.predict([image]), lambda: model.submit(image), lambda: model.run({})):
        try:
            ask()
        except EngineError as error:
            print(error, flush=True)
    model.close()
    del model
    print(load(sys.argv[1], device="cpu").predict([image])[0].label, flush=True)
    os._exit(0)  # as multiprocessing ends its children; onnxruntime itself does not survive a fork's regular exit
status = os.waitpid(child, 0)[1]
assert status == 0, status
print(model.predict([image])[0].label)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork_the_child_is_told_to_load_again_and_the_parent_goes_on(bundle_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED, bundle_folder], capture_output=True, text=True, timeout=900, check=False
    )

    *told, child, parent = done.stdout.splitlines()
    assert (done.returncode, done.stderr, child, parent) == (0, "", "blue", "blue")
    assert len(told) == 3
    assert all("opened before this process was forked" in line for line in told)


@pytest.mark.parametrize("threads", [0, -1])
def test_fewer_threads_than_one_are_refused(threads: int, bundle_folder: Path) -> None:
    with pytest.raises(UsageError, match="threads must be at least 1"):
        load(bundle_folder, device="cpu", threads=threads)


def test_scores_that_are_not_numbers_come_last() -> None:
    scores = np.array([np.nan, 0.1, np.nan, 0.3, 0.2], dtype=np.float32)

    found = top_choices(scores, labels=None, top_k=3)

    assert [choice.index for choice in found] == [3, 4, 1]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 45))
def test_the_best_are_those_that_sorting_gives(values: list[int], top_k: int) -> None:
    scores = np.array(values, dtype=np.float32)

    found = top_choices(scores, labels=None, top_k=top_k)

    assert [choice.index for choice in found] == sorted(range(len(values)), key=lambda i: (-values[i], i))[:top_k]


def test_a_device_that_is_not_known_is_refused(bundle_folder: Path) -> None:
    with pytest.raises(UsageError, match="device 'gpu' is not known"):
        load(bundle_folder, device="gpu")


def test_the_threads_asked_for_are_the_threads_used(bundle_folder: Path) -> None:
    assert load(bundle_folder, device="cpu", threads=1).threads == 1


@pytest.mark.parametrize("count", [1, 4, 9])
def test_a_graph_of_a_static_batch_answers_any_number_of_items(count: int, predictor: Predictor) -> None:
    sizes = []

    def run(arrays: Any) -> list[Any]:
        sizes.append(len(arrays[0]))
        return [predictor.run({"images": arrays[0]})["probabilities"]]

    shapes = {
        "inputs": (Tensor(name="images", dtype="uint8", shape=(4, 8, 8, 3)),),
        "outputs": (Tensor(name="probabilities", dtype="float32", shape=(4, 3)),),
    }
    items = images(count)
    expected = predictor.predict(items, batch_size=4)

    with stand_in(run, threads=2, **shapes) as model:
        assert model.batch_size == model.policy.max_batch == 4
        assert model.predict(items) == expected
        assert model.predict(items, batch_size=7) == expected
        assert list(model.stream(items)) == expected
        assert [model.submit(item).result().label for item in items] == [one.label for one in expected]

    assert set(sizes) == {4}


# Looks at its own threads again and again, once they sleep: one that spins is never asleep, one that polls wakes up.
IDLE = """
import os, sys, threading
import numpy as np
from lit_infer import load

def others():
    own = str(threading.get_native_id())
    return [f"/proc/self/task/{name}" for name in os.listdir("/proc/self/task") if name != own]

def asleep():
    return all(open(f"{task}/stat").read().rpartition(")")[2].split()[0] == "S" for task in others())

def wakes():
    lines = [line for task in others() for line in open(f"{task}/status") if "voluntary_ctxt_switches" in line]
    return sum(int(line.split()[1]) for line in lines)

image = np.full((9, 9, 3), [0, 0, 200], dtype=np.uint8)
with load(sys.argv[1], device="cpu", threads=2) as model:
    model.predict([image] * 100)
    for future in [model.submit(image) for _ in range(100)]:
        future.result()
    looks = next((look for look in range(LOOKS) if asleep()), LOOKS)
    before = wakes()
    print(looks < LOOKS, all(asleep() for _ in range(LOOKS)), wakes() - before)
"""
LOOKS = 2000


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_model_that_is_not_asked_takes_no_processor_time(bundle_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"LOOKS = {LOOKS}\n{IDLE}", bundle_folder],
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )

    fell_asleep, stayed_asleep, wakes = done.stdout.split()
    assert (fell_asleep, stayed_asleep) == ("True", "True")
    assert int(wakes) <= 2  # of a thread of onnxruntime's own, now and then


SPAWNED = """
import multiprocessing, sys
import numpy as np
from lit_infer import load

IMAGE = np.full((9, 9, 3), [0, 0, 200], dtype=np.uint8)

def label(path):
    with load(path, device="cpu", threads=1) as model:
        return model.predict([IMAGE])[0].label

if __name__ == "__main__":
    with load(sys.argv[1], device="cpu") as model, multiprocessing.get_context("spawn").Pool(1) as pool:
        print(model.predict([IMAGE])[0].label, pool.map(label, [sys.argv[1]]))
"""


def test_a_process_that_is_spawned_loads_the_model_itself(bundle_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED)

    done = subprocess.run(
        [sys.executable, script, bundle_folder], capture_output=True, text=True, timeout=900, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "blue ['blue']\n", "")


MEMORY = """
import gc, resource, sys
import numpy as np
from lit_infer import load

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

image = np.full((9, 9, 3), [0, 0, 200], dtype=np.uint8)

def use():
    with load(sys.argv[1], device="cpu", threads=2) as model:
        model.predict([image] * 50)
        model.submit(image).result()

for _ in range(10):
    use()
before = rss()
for _ in range(40):
    use()
gc.collect()
print(rss() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_models_that_were_closed_leave_no_memory_behind(bundle_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, bundle_folder], capture_output=True, text=True, timeout=900, check=True
    )

    assert float(done.stdout) < 5


class Batches:
    """A graph that notes the size of every batch it is given."""

    def __init__(self, **changes: Any) -> None:
        self.sizes: list[int] = []
        self.predictor = Predictor(described(rows="joined", **changes), self.graph(), threads=1)

    def graph(self) -> OpenGraph:
        def run(arrays: Any) -> Any:
            self.sizes.append(len(arrays[0]))
            return [np.full((len(arrays[0]), 3), 1 / 3, np.float32)]

        return OpenGraph(run=run, engine="none", device="cpu", embedded=None)


def test_images_whose_answers_depend_on_their_batch_are_run_one_by_one() -> None:
    seen = Batches()
    policy = BatchPolicy(max_batch=8, max_delay=0.1)
    waiting = Predictor(seen.predictor.manifest, seen.graph(), threads=1, policy=policy)

    seen.predictor.predict(images(3))
    list(seen.predictor.stream(images(3)))
    for future in [waiting.submit(image) for image in images(3)]:
        assert future.result().error is None
    waiting.close()

    assert seen.sizes == [1] * 9
    with pytest.raises(UsageError, match="so images are run one by one"):
        seen.predictor.predict(images(3), batch_size=3)


def test_a_batch_of_the_caller_s_own_is_run_as_one() -> None:
    seen = Batches()

    seen.predictor.run({"images": np.zeros((5, 8, 8, 3), np.uint8)})

    assert seen.sizes == [5]


def test_images_are_refused_where_only_whole_batches_have_an_answer() -> None:
    seen = Batches(
        inputs=(Tensor(name="images", dtype="uint8", shape=(4, 8, 8, 3)),),
        outputs=(Tensor(name="probabilities", dtype="float32", shape=(4, 3)),),
    )

    for call in (seen.predictor.predict, seen.predictor.stream):
        with pytest.raises(UsageError, match="the graph takes 4 at once"):
            call(images(4))
    with pytest.raises(UsageError, match="the graph takes 4 at once"):
        seen.predictor.submit(noise(8, 8))
    assert seen.sizes == []
