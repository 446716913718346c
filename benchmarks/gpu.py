"""What a machine with one NVIDIA GPU can show, offline and in under ten minutes: `make gpu`.

    python benchmarks/gpu.py --out DIR            # the table on standard output, and as DIR/gpu.json
    python benchmarks/gpu.py --device cpu --quick # everything but the GPU: the script itself, tried anywhere

For each network, format and precision that torch runs: is the device that was asked for the one obtained, are the
answers those of the eager module in float32 on the CPU, the latency of one image, images/s from prepared tensors at the
best batch and from JPEGs while all cores prepare. Beside them eager torch and `torch.compile` in the same precision,
with the tensors on the device already, and the roofline: the network's operations over what a large matrix product
reaches here. Random weights; batch-norm statistics of noise. AOTInductor is compiled by `lit-export` for the CPU alone.
"""

import argparse
import copy
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from lit_infer.hardware import cpu_model, usable_cpus
from lit_infer.images.preprocess import Step
from lit_infer.predictor import Predictor

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.folder import IMAGENET, make_images

SIDE = 224
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
FORMATS = {"pt2": ("fp32", "bf16", "fp16"), "torchscript": ("fp32", "bf16")}
_TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2, "fp16": 1e-2}  # of a probability; TF32 is off


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    networks: tuple[str, ...]
    batches: tuple[int, ...]
    rounds: int
    seconds: float
    images: int


WHOLE = Plan(("mobilenet_v3_small", "resnet50"), (1, 8, 32, 128), rounds=3, seconds=0.5, images=256)
QUICK = Plan(("mobilenet_v3_small",), (1, 4), rounds=1, seconds=0.1, images=16)


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


class Deployed(nn.Module):
    """What the graphs hold: uint8 [batch, height, width, 3] to probabilities."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities in float32."""
        scaled = (images.permute(0, 3, 1, 2).float() / 255 - self.mean.float()) / self.std.float()
        return self.network(scaled.to(self.mean.dtype)).float().softmax(1)


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
    rows, roofs, wrong = [], {}, []
    with tempfile.TemporaryDirectory() as scratch:
        files = make_images(Path(scratch) / "images")[: plan.images]
        print(f"{usable_cpus()} cores prepare {prepared_per_s(files):,.0f} JPEGs of 500x375 a second", flush=True)
        for name in plan.networks:
            network = with_statistics(name)
            roofs[name] = roofline(network, asked.device)
            for row in measured(name, network, files, Path(scratch), asked.device, plan):
                rows.append(row)
                print(line(row), flush=True)
                if row.difference > _TOLERANCE[row.precision] or not row.device.startswith(asked.device):
                    wrong.append(f"{row.network} {row.way} {row.precision}")
            print(f"{name}: roofline {', '.join(f'{kind} {rate:,.0f} images/s' for kind, rate in roofs[name].items())}")
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        found = {"facts": here, "rows": [asdict(row) for row in rows], "roofline_images_per_s": roofs}
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


def with_statistics(name: str) -> nn.Module:
    """A network whose batch norms have seen noise, so that its answers depend on the input."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None).train()
    with torch.no_grad():
        for _ in range(2):
            network(torch.randn(16, 3, SIDE, SIDE))
    return network.eval()


def measured(name: str, network: nn.Module, files: list[Path], scratch: Path, device: str, plan: Plan) -> Iterator[Row]:
    """Each way to run a network."""
    (scratch / "spec.yaml").write_text(IMAGENET)
    batch = np.random.default_rng(0).integers(0, 256, (max(plan.batches), SIDE, SIDE, 3), dtype=np.uint8)
    with torch.inference_mode():
        wanted = Deployed(network)(torch.from_numpy(batch[:64])).numpy()
    for way, precisions in FORMATS.items():
        options = Options(spec=scratch / "spec.yaml", publish=False, precisions=precisions)
        made = export(copy.deepcopy(network), [way], out=scratch / name, options=options)
        assert made.folder is not None, made.failed
        for graph in made.failed:
            print(f"{name:20} {graph.label}: not proven, so not measured: {graph.reason}", flush=True)
        kept = {graph.precision for graph in made.manifest.ok_graphs() if graph.format == way}
        for precision in (one for one in precisions if one in kept):
            with load(made.folder, device=device, engine=way, precision=precision) as model:
                run = ours(model)
                figures = speed(run, batch, plan)
                yield Row(
                    name, way, precision, model.device, *difference(run(batch[:64]), wanted), *figures,
                    from_jpegs(model, files, plan),
                )  # fmt: skip
    for precision, dtype in PRECISIONS.items():
        eager = Deployed(copy.deepcopy(network)).to(device, dtype)
        tuned = torch.compile(eager, mode="default" if plan is QUICK else "max-autotune")
        for way, module in (("eager", eager), ("torch.compile", tuned)):
            run = theirs(module, device)
            yield Row(name, way, precision, device, *difference(run(batch[:64]), wanted), *speed(run, batch, plan))


def ours(model: Predictor) -> Callable[[np.ndarray], np.ndarray]:
    """The runtime's own call for a prepared batch on the host."""
    run = model.sessions.for_one()
    return lambda batch: run([batch])[0]


def theirs(module: nn.Module, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """What a user of torch writes: the batch goes to the device, the answer comes back."""

    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(batch).to(device, non_blocking=True)).cpu().numpy()

    return run


def difference(found: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """The largest difference of a probability, and the share of images with the same best class."""
    found = found[: len(wanted)]
    return float(np.abs(found - wanted).max()), float((found.argmax(1) == wanted.argmax(1)).mean())


def speed(run: Callable[[np.ndarray], np.ndarray], batch: np.ndarray, plan: Plan) -> tuple[float, int, float]:
    """The latency of one image in ms, the best batch, and its images per second."""
    rates = {size: rate(run, batch[:size], plan) for size in plan.batches}
    best = max(rates, key=lambda size: rates[size])
    return 1e3 / rates[1], best, rates[best]


def rate(run: Callable[[np.ndarray], np.ndarray], batch: np.ndarray, plan: Plan) -> float:
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
