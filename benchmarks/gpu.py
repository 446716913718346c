"""What a machine with one NVIDIA GPU can show, offline and in under ten minutes: `make gpu`.

    python benchmarks/gpu.py --out DIR            # the table on standard output, and as DIR/gpu.json
    python benchmarks/gpu.py --device cpu --quick # everything but the GPU: the script itself, tried anywhere

For each network, format and precision that torch runs: is the device that was asked for the one obtained, are the
answers those of the eager module in float32 on the CPU, the latency of one image, images/s from prepared tensors at the
best batch and from JPEGs while all cores prepare. Beside them eager torch and `torch.compile` in the same precision,
with the tensors on the device already, and the roofline: the network's operations over what a large matrix product
reaches here. Random weights, with statistics and a last layer for which answers vary as a trained network's do.
`lit-export` compiles AOTInductor for the CPU alone, so its libraries are compiled for the device here, and run by our
engine. Last `lit-serve` on the device, asked by `lit-bench`.
"""

import argparse
import copy
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
import torchvision
import yaml
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lit_export import Options, export
from lit_infer import images, load
from lit_infer.engines import aotinductor
from lit_infer.hardware import cpu_model, usable_cpus
from lit_infer.images.preprocess import Step
from lit_infer.predictor import Predictor

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.folder import IMAGENET, make_images

SIDE = 224
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
FORMATS = {"pt2": ("fp32", "bf16", "fp16"), "torchscript": ("fp32", "bf16")}
_TOLERANCE = {"fp32": 1e-3, "bf16": 0.25, "fp16": 0.05}
"""Of a probability, some twice of what eager torch is off by in each on the CPU. TF32 is off."""
Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    networks: tuple[str, ...]
    batches: tuple[int, ...]
    rounds: int
    seconds: float
    images: int
    libraries: tuple[str, ...]
    """Precisions in which AOTInductor compiles; each takes a minute."""


WHOLE = Plan(("mobilenet_v3_small", "resnet50"), (1, 8, 32, 128), 3, 0.5, 256, libraries=("fp32", "bf16", "fp16"))
QUICK = Plan(("mobilenet_v3_small",), (1, 4), 1, 0.1, 16, libraries=("fp32",))


@dataclass(frozen=True)
class Row:
    """One way to run one network."""

    network: str
    way: str
    precision: str
    device: str
    """As obtained."""
    difference: float
    """The largest, of a probability, from the eager module in float32 on the CPU."""
    agreement: float
    latency_ms: float
    """Of one image, the median."""
    best_batch: int
    images_per_s: float
    from_jpegs_per_s: float | None = None
    """Through `stream`, all cores preparing; None for ways that have no such thing."""


@dataclass(frozen=True)
class Subject:
    """A network, and the images that it is tried on."""

    name: str
    network: nn.Module
    batch: np.ndarray
    """uint8 [batch, height, width, 3], prepared."""
    files: list[Path]

    def answers(self) -> np.ndarray:
        """Of the eager module in float32 on the CPU, for as many images as are compared."""
        with torch.inference_mode():
            return Deployed(self.network)(torch.from_numpy(self.batch[:64])).numpy()


class Deployed(nn.Module):
    """What the graphs hold: uint8 [batch, height, width, 3] to probabilities."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities in float32."""
        return self.logits(images).softmax(1)

    def logits(self, images: Tensor) -> Tensor:
        """In float32, whatever the network computes in."""
        scaled = (images.permute(0, 3, 1, 2).float() / 255 - self.mean.float()) / self.std.float()
        return self.network(scaled.to(self.mean.dtype)).float()


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.device != "cpu" and not torch.cuda.is_available():
        sys.exit("no CUDA device here. Try the script itself with --device cpu --quick")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    plan = QUICK if asked.quick else WHOLE
    here = facts(asked.device)
    print(", ".join(f"{name} {value}" for name, value in here.items()), flush=True)
    rows, roofs, served, wrong = [], {}, [], []
    with tempfile.TemporaryDirectory() as scratch:
        files = make_images(Path(scratch) / "images")[: plan.images]
        print(f"{usable_cpus()} cores prepare {prepared_per_s(files):,.0f} JPEGs of 500x375 a second", flush=True)
        batch = prepared(files, max(plan.batches))
        for name in plan.networks:
            network = with_statistics(name, batch[:64])
            roofs[name] = roofline(network, asked.device)
            for row in measured(Subject(name, network, batch, files), Path(scratch), asked.device, plan):
                rows.append(row)
                print(line(row), flush=True)
                if row.difference > _TOLERANCE[row.precision] or not row.device.startswith(asked.device):
                    wrong.append(f"{row.network} {row.way} {row.precision}")
            served.append(from_requests(Path(scratch) / name, files[0].parent, asked.device, plan))
            print(f"{name}: lit-serve {served[-1]:,.0f} JPEGs/s over 64 connections", flush=True)
            print(f"{name}: roofline {', '.join(f'{kind} {rate:,.0f} images/s' for kind, rate in roofs[name].items())}")
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        found = {"facts": here, "rows": [asdict(row) for row in rows], "roofline_images_per_s": roofs}
        found["served_jpegs_per_s"] = dict(zip(plan.networks, served, strict=True))
        (asked.out / "gpu.json").write_text(json.dumps(found, indent=2))
    if wrong:
        sys.exit(f"other answers or another device than asked for: {', '.join(wrong)}")


def facts(device: str) -> dict[str, str]:
    """Of the machine and what runs on it."""
    found = {"CPU": f"{cpu_model()}, {usable_cpus()} cores", "torch": torch.__version__, "date": time.strftime("%F")}
    if device != "cpu":
        card = torch.cuda.get_device_properties(device)
        found |= {"GPU": f"{card.name}, {card.total_memory / 2**30:.0f} GiB", "CUDA": str(torch.version.cuda)}
    return found | {"load": f"{os.getloadavg()[0]:.1f}"}


def with_statistics(name: str, batch: np.ndarray) -> nn.Module:
    """A network whose batch norms have seen these images, and whose logits differ between them by some 3."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None).train()
    whole = Deployed(network)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # the mean of all batches: torchvision's would take hundreds
    with torch.no_grad():
        for _ in range(3):
            whole(torch.from_numpy(batch))
        logits = whole.eval().logits(torch.from_numpy(batch))
        last = [part for part in network.modules() if isinstance(part, nn.Linear)][-1]
        factor = 3 / logits.std(0).mean()
        last.weight.mul_(factor)
        last.bias.sub_(logits.mean(0)).mul_(factor)
    return network.eval()


def measured(subject: Subject, scratch: Path, device: str, plan: Plan) -> Iterator[Row]:
    """Each way to run a network on prepared images, and ours from files too."""
    wanted = subject.answers()

    def row(way: str, precision: str, obtained: str, run: Run, from_files: float | None = None) -> Row:
        seen = difference(run(subject.batch[: len(wanted)]), wanted)
        return Row(subject.name, way, precision, obtained, *seen, *speed(run, subject.batch, plan), from_files)

    for way in FORMATS:
        for precision, model in exported(subject, way, scratch, device):
            with model:
                yield row(way, precision, model.device, ours(model), from_jpegs(model, subject.files, plan))
    for precision in plan.libraries:
        run, obtained = compiled(subject.network, precision, scratch / f"{precision}.aoti.pt2", device)
        yield row("aotinductor", precision, obtained, run)
    for precision, dtype in PRECISIONS.items():
        eager = Deployed(copy.deepcopy(subject.network)).to(device, dtype)
        tuned = torch.compile(eager, mode="default" if plan is QUICK else "max-autotune")
        yield row("eager", precision, device, theirs(eager, device))
        yield row("torch.compile", precision, device, theirs(tuned, device))


def exported(subject: Subject, way: str, scratch: Path, device: str) -> Iterator[tuple[str, Predictor]]:
    """The precisions of a format that were proven, each opened on the device."""
    (scratch / "spec.yaml").write_text(IMAGENET)
    photos = subject.files[0].parent
    options = Options(spec=scratch / "spec.yaml", publish=False, precisions=FORMATS[way], images=photos)
    made = export(copy.deepcopy(subject.network), [way], out=scratch / subject.name, options=options)
    assert made.folder is not None, made.failed
    for graph in made.failed:
        print(f"{subject.name:20} {graph.label}: not proven, so not measured: {graph.reason}", flush=True)
    kept = {graph.precision for graph in made.manifest.ok_graphs() if graph.format == way}
    for precision in (one for one in FORMATS[way] if one in kept):
        yield precision, load(made.folder, device=device, engine=way, precision=precision)


def ours(model: Predictor) -> Run:
    """The runtime's own call for a prepared batch on the host."""
    run = model.sessions.for_one()
    return lambda batch: run([batch])[0]


def compiled(network: nn.Module, precision: str, path: Path, device: str) -> tuple[Run, str]:
    """A library of AOTInductor for this device, as our engine runs it, and the device that was obtained."""
    module = Deployed(copy.deepcopy(network)).to(device, PRECISIONS[precision])
    example = torch.zeros(8, SIDE, SIDE, 3, dtype=torch.uint8, device=device)
    with torch.no_grad():
        program = torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("batch", max=1024)},))
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))
    opened = aotinductor.open_graph(path, device=device, threads=usable_cpus(), allow_native_code=True)
    return lambda batch: opened.run([batch])[0], opened.device


def theirs(module: nn.Module, device: str) -> Run:
    """What a user of torch writes: the batch goes to the device, the answer comes back."""

    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(batch).to(device, non_blocking=True)).cpu().numpy()

    return run


def difference(found: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """The largest difference of a probability, and the share of images with the same best class."""
    found = found[: len(wanted)]
    return float(np.abs(found - wanted).max()), float((found.argmax(1) == wanted.argmax(1)).mean())


def speed(run: Run, batch: np.ndarray, plan: Plan) -> tuple[float, int, float]:
    """The latency of one image in ms, the best batch, and its images per second."""
    rates = {size: rate(run, batch[:size], plan) for size in plan.batches}
    best = max(rates, key=lambda size: rates[size])
    return 1e3 / rates[1], best, rates[best]


def rate(run: Run, batch: np.ndarray, plan: Plan) -> float:
    """Images per second, the median of some rounds; every call ends with its answer on the host."""
    for _ in range(3):  # compiling, choosing kernels, allocating
        run(batch)
    found = []
    for _ in range(plan.rounds):
        started, calls = time.perf_counter(), 0
        while (took := time.perf_counter() - started) < plan.seconds or not calls:
            run(batch)
            calls += 1
        found.append(calls * len(batch) / took)
    return statistics.median(found)


def from_jpegs(model: Predictor, files: list[Path], plan: Plan) -> float:
    """Images per second through `stream`, all cores preparing, in the largest batch."""
    started = time.perf_counter()
    count = sum(1 for _ in model.stream(files, batch_size=max(plan.batches)))
    return count / (time.perf_counter() - started)


def from_requests(bundle: Path, files: Path, device: str, plan: Plan) -> float:
    """JPEGs per second that `lit-serve` answers on this device, as `lit-bench` measures it."""
    seconds = str(max(1.0, 4 * plan.seconds))
    with serving(bundle, device) as url:
        line = [sys.executable, "-c", _BENCH, "--url", url, "--from", str(files), "--callers", "64"]
        done = subprocess.run(  # noqa: S603
            [*line, "--seconds", seconds, "--json", "--quiet"], stdout=subprocess.PIPE, text=True, check=True
        )
    return max(row["images_per_s"] for row in json.loads(done.stdout)["rows"])


_BENCH = "from lit_infer.bench.cli import main; main()"
_SERVE = "from lit_infer.server.cli import main; main()"


@contextmanager
def serving(bundle: Path, device: str) -> Iterator[str]:
    """`lit-serve` with a torch graph of a bundle: its address."""
    line = [sys.executable, "-c", _SERVE, str(bundle), "--port", "0", "--device", device, "--engine", "pt2", "--quiet"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stderr is not None
        for text in process.stderr:
            if text.startswith("serving on "):
                yield text.split()[-1]
                break
        process.send_signal(signal.SIGTERM)


def prepared(files: list[Path], count: int) -> np.ndarray:
    """A batch of these images, repeated to so many."""
    steps = msgspec.convert(yaml.safe_load(IMAGENET)["preprocess"], tuple[Step, ...])
    made = [images.prepare(file, steps=steps, channels=3) for file in files[:count]]
    return np.stack([made[index % len(made)] for index in range(count)])


def prepared_per_s(files: list[Path]) -> float:
    """What the cores can feed: files to prepared pixels on all of them."""
    steps = msgspec.convert(yaml.safe_load(IMAGENET)["preprocess"], tuple[Step, ...])
    started = time.perf_counter()
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for _ in pool.map(lambda file: images.prepare(file, steps=steps, channels=3), files):
            pass
    return len(files) / (time.perf_counter() - started)


def roofline(network: nn.Module, device: str) -> dict[str, float]:
    """Images per second if the network's operations ran as quickly as a large matrix product does."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 3, SIDE, SIDE))
    side = 8192 if device != "cpu" else 1024
    found = {}
    for name, dtype in PRECISIONS.items():
        left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        took = []
        for _ in range(5):
            started = time.perf_counter()
            _ = (left @ right)[0, 0].item()  # which waits for it
            took.append(time.perf_counter() - started)
        found[name] = 2 * side**3 / min(took) / counter.get_total_flops()
    return found


def line(row: Row) -> str:
    """A row of the table."""
    jpegs = "" if row.from_jpegs_per_s is None else f"   from JPEGs {row.from_jpegs_per_s:7,.0f}"
    return (
        f"{row.network:20} {row.way:14} {row.precision}  {row.device:7} off by {row.difference:.1e}, "
        f"{row.agreement:4.0%} agree   one {row.latency_ms:7.2f} ms   best at {row.best_batch:3}: "
        f"{row.images_per_s:9,.0f} images/s{jpegs}"
    )


if __name__ == "__main__":
    main()
