"""How near the runtime comes to its limits, and how far ahead of other ways it is: `make bench`.

The limit of a folder is what the cores could do if preparing images and running the graph shared them without any loss:
1 / (1/preparing rate + 1/model rate), each measured alone at its best on the same cores with the same libraries. The
legs are run in turns, so that a noisy machine hurts all alike, and medians are compared. Random weights, and 500x375
JPEGs with the detail of photographs: the speed depends on neither's content.

`--peers` measures torchvision with its DataLoader and a hand-written onnxruntime loop too, in environments of their own
(`benchmarks/peers`), between our rounds. `--quick` does with fewer rounds; `--only` takes some of the models.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image

from lit_export import Options, export
from lit_infer import folder, load
from lit_infer.hardware import cpu_model, usable_cpus
from lit_infer.predictor import BatchPolicy, Prediction, Predictor
from lit_trainer.modules import DigitsCNN

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import figures

ROOT = Path(__file__).parents[1]
WITH_PILLOW, LOOP = "the same with Pillow's resize", "onnxruntime"
IMAGES, CALLERS, IN_FLIGHT, TINY_COUNT = 256, 32, 8, 32_000

IMAGENET = """\
task: image-classification
preprocess: [{resize: {size: 256}}, {center_crop: {size: 224}}]
normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
"""
DIGITS = """\
task: image-classification
preprocess: [{resize: {size: [16, 16]}}]
normalize: {mean: [0.3], std: [0.35]}
"""


@dataclass(frozen=True)
class Case:
    """A model, and how many of the images it is given in a leg."""

    name: str
    architecture: str
    precision: str
    images: int


CASES = (
    Case("mobilenet", "mobilenet_v3_small", "fp32", 256),
    Case("resnet", "resnet18", "fp32", 64),
    Case("resnet-int8", "resnet18", "int8", 128),
)


def main() -> None:
    """Measure, print."""
    asked = arguments()
    gc.collect()
    gc.freeze()  # torch made the models; a process that runs them has none of its half a million objects
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        print(f"{cpu_model()}, {usable_cpus()} cores, load {os.getloadavg()[0]:.1f} before; batch 8")
        if "tiny" in asked.only:
            report_tiny(make_tiny(here), rounds=asked.rounds)
        images = make_images(here / "images")
        for case in CASES:
            if case.name in asked.only:
                report(case, make_model(case, here, images[0].parent), images[: case.images], asked)
    print(f"load {os.getloadavg()[0]:.1f} after")
    gc.unfreeze()  # or torch's parts tell of leaks at the end


def arguments() -> argparse.Namespace:
    """What is to be measured."""
    names = ["tiny", *(case.name for case in CASES)]
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--quick", dest="rounds", action="store_const", const=2, default=6)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    return parser.parse_args()


def report(case: Case, model: Predictor, images: list[Path], asked: argparse.Namespace) -> None:
    """The legs of one model, and their ratios."""
    output = images[0].parent.parent / "rows.jsonl"
    legs: dict[str, Callable[[], object]] = {
        "preparing alone": lambda: prepare_all(model, images),
        "model alone, threads of one core": lambda: run_all(model, len(images), workers=usable_cpus()),
        "model alone, all cores together": lambda: run_all(model, len(images), workers=1),
        "model.stream": lambda: sum(1 for _ in model.stream(images)),
        f"{CALLERS} x model.submit": lambda: submit_all(model, images),
        "lit-infer folder": lambda: folder.run(model, images, output=output),
        WITH_PILLOW: lambda: run_with_pillow(model, images, output),
    }
    rounds = [in_turns(legs, len(images)) for _ in range(asked.rounds // 2)]
    peers = run_peers(case.architecture, images) if asked.peers else {}
    rounds += [in_turns(legs, len(images)) for _ in range(asked.rounds - asked.rounds // 2)]
    found = {leg: statistics.median(one[leg] for one in rounds) for leg in legs}
    prepare, *models = list(found.values())[:3]
    limit = 1 / (1 / prepare + 1 / max(models))
    print(f"\n{case.architecture} {case.precision}, {len(images)} JPEGs of 500x375")
    for leg, rate in found.items():
        of_limit = f"   {rate / limit:.2f} of the limit" if leg in list(found)[3:6] else ""
        print(f"{leg:34}{rate:8.0f} images/s{of_limit}")
    print(f"{'limit':34}{limit:8.0f} images/s")
    ours = found["lit-infer folder"]
    for peer, rate in peers.items():
        print(f"{peer:34}{rate:8.0f} images/s   lit-infer folder {ours / rate:.2f} x")
    if case.name == "mobilenet":
        figures.note("folder", ours / found[WITH_PILLOW])
        figures.note("stream-limit", found["model.stream"] / limit)
        figures.note("folder-limit", ours / limit)
    if case.name == "resnet" and LOOP in peers:
        figures.note("resnet-loop", ours / peers[LOOP])


def run_with_pillow(model: Predictor, images: list[Path], output: Path) -> None:
    """As before there was a kernel."""
    os.environ["LIT_PIXELS"] = "pillow"
    try:
        folder.run(model, images, output=output)
    finally:
        del os.environ["LIT_PIXELS"]


def report_tiny(model: Predictor, *, rounds: int) -> None:
    """`submit` where the graph costs little: what is left of a fixed batch, as predictions and as the bare graph."""
    submitted = f"{CALLERS} x model.submit"
    bare, streamed = "graph alone, batch ", "model.stream, batch "
    legs: dict[str, Callable[[], object]] = {submitted: lambda: submit_tiny(model)}
    for size in (8, 32, 128):
        legs[f"{bare}{size}"] = partial(fixed, model, size)
        legs[f"{streamed}{size}"] = partial(stream_tiny, model, size)
    measured = [in_turns(legs, TINY_COUNT) for _ in range(rounds)]
    found = {leg: statistics.median(one[leg] for one in measured) for leg in legs}
    print(f"\nDigitsCNN, 16x16 arrays, {CALLERS} threads with {IN_FLIGHT} items in flight each")
    own_us = processor_us(legs[submitted])
    print(f"{submitted:34}{found[submitted]:8.0f} images/s   {own_us:4.0f} us of processor time each")
    for kind in (streamed, bare):
        best = max((leg for leg in found if leg.startswith(kind)), key=lambda leg: found[leg])
        us, share = processor_us(legs[best]), found[submitted] / found[best]
        if kind == streamed:
            figures.note("submit", share)
        print(f"{best:34}{found[best]:8.0f} images/s   {us:4.0f} us   submit is {share:.2f}, of time {us / own_us:.2f}")
    # Here, because a longer call varies by more than what is looked for.
    print(f"{'overhead of model.run':34}{overhead_us(model):8.1f} us over the engine's own call")


def processor_us(leg: Callable[[], object]) -> float:
    """Of an image of the tiny model; unlike its rate, hardly touched by what else the machine does."""
    times = []
    for _ in range(3):
        started = time.process_time()
        leg()
        times.append(time.process_time() - started)
    return min(times) / TINY_COUNT * 1e6


def in_turns(legs: dict[str, Callable[[], object]], count: int) -> dict[str, float]:
    """One round: images per second of each leg."""
    rates = {}
    for name, leg in legs.items():
        started = time.perf_counter()
        leg()
        rates[name] = count / (time.perf_counter() - started)
    return rates


def make_model(case: Case, here: Path, images: Path) -> Predictor:
    """Export torchvision's network as its user would, and open it."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(case.architecture, weights=None).eval()
    (here / "spec.yaml").write_text(IMAGENET)
    options = Options(spec=here / "spec.yaml", publish=False)
    if case.precision == "int8":  # random weights need not agree with anything
        options = Options(
            spec=here / "spec.yaml", publish=False, precisions=("int8",), calibration=images, keep_anyway=True
        )
    made = export(network, ["onnx"], out=here / case.name, options=options)
    assert made.folder is not None, made.failed
    return load(made.folder, device="cpu", engine="onnx", precision=case.precision)


def make_tiny(here: Path) -> Predictor:
    """The network that `make demo` exports."""
    torch.manual_seed(0)
    (here / "digits.yaml").write_text(DIGITS)
    options = Options(spec=here / "digits.yaml", publish=False)
    made = export(DigitsCNN().eval(), ["onnx"], out=here / "digits", options=options)
    assert made.folder is not None, made.failed
    return load(made.folder, device="cpu", policy=BatchPolicy(max_batch=32))


def make_images(to: Path) -> list[Path]:
    """JPEGs with the detail of photographs: noise over gradients."""
    to.mkdir()
    generator = np.random.default_rng(0)
    paths = []
    for index in range(IMAGES):
        smooth = generator.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        picture = np.asarray(Image.fromarray(smooth).resize((500, 375), Image.Resampling.BICUBIC)).astype(np.int16)
        noisy = (picture + generator.normal(0, 8, picture.shape)).clip(0, 255).astype(np.uint8)
        paths.append(to / f"{index:04d}.jpg")
        Image.fromarray(noisy).save(paths[-1], quality=90)
    return paths


def prepare_all(model: Predictor, images: list[Path]) -> None:
    """Read, decode, resize and crop on all cores; nothing else."""
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for _ in pool.map(model.prepare, images):
            pass


def run_all(model: Predictor, count: int, *, workers: int) -> None:
    """The graph on prepared batches; nothing else."""
    batch = np.zeros((8, *model.manifest.image_shape), dtype=np.uint8)
    run = model.sessions.for_one() if workers == 1 else model.sessions.for_many()
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(lambda _: run([batch]), range(count // 8)):
            pass


def submit_all(model: Predictor, images: list[Path]) -> None:
    """Callers that hand in one image each and wait for its answer."""
    with ThreadPoolExecutor(CALLERS) as pool:
        for _ in pool.map(lambda image: model.submit(image).result(), images):
            pass


def fixed(model: Predictor, size: int) -> None:
    """The graph on batches of one size, made once, by threads of one core each."""
    batch = np.zeros((size, *model.manifest.image_shape), dtype=np.uint8)
    run = model.sessions.for_many()
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for _ in pool.map(lambda _: run([batch]), range(TINY_COUNT // size)):
            pass


def stream_tiny(model: Predictor, size: int) -> None:
    """The same images and predictions as by `submit`, in batches of one size."""
    image = np.zeros(model.manifest.image_shape, dtype=np.uint8)
    for _ in model.stream([image] * TINY_COUNT, batch_size=size):
        pass


def submit_tiny(model: Predictor) -> None:
    """Callers that each keep a few items in flight."""
    image = np.zeros(model.manifest.image_shape, dtype=np.uint8)

    def caller() -> None:
        waiting: deque[Future[Prediction]] = deque()
        for _ in range(TINY_COUNT // CALLERS):
            if len(waiting) == IN_FLIGHT:
                waiting.popleft().result()
            waiting.append(model.submit(image))
        for future in waiting:
            future.result()

    threads = [threading.Thread(target=caller) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def overhead_us(model: Predictor) -> float:
    """What `run` adds to the engine's own call, for one prepared array: the difference of the quickest of many."""
    one = np.zeros((1, *model.manifest.image_shape), dtype=np.uint8)
    bare = model.sessions.for_one()
    times: dict[str, list[float]] = {"bare": [], "run": []}
    for _ in range(50):
        for what, call in (("bare", lambda: bare([one])), ("run", lambda: model.run({"images": one}))):
            started = time.perf_counter()
            call()
            times[what].append(time.perf_counter() - started)
    return (min(times["run"]) - min(times["bare"])) * 1e6


def run_peers(architecture: str, images: list[Path]) -> dict[str, float]:
    """Images per second of the ways without lit-infer, over the same images."""
    with tempfile.TemporaryDirectory() as name:
        for image in images:
            os.link(image, Path(name, image.name))
        line = [sys.executable, "-m", "benchmarks.peers", name, architecture]
        done = subprocess.run(line, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    answers: list[dict[str, Any]] = [json.loads(answer) for answer in done.stdout.splitlines()]
    found = {}
    for answer in answers:
        if "images_per_s" in answer:
            found[answer["peer"]] = answer["images_per_s"]
        if "default_images_per_s" in answer:
            found["torchvision, batches of 1"] = answer["default_images_per_s"]
    return found


if __name__ == "__main__":
    main()
