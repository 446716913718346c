"""How many requests a second `lit-serve` answers: `python benchmarks/serving.py [--peers]`. Needs wrk and h2load.

    apt-get install wrk nghttp2-client

Two parts. What the server itself costs: a tiny CNN with prepared tensors over REST and gRPC. What a user gets: one JPEG
per request through MobileNetV3-small, beside mosec, LitServe and Triton with `--peers` (`benchmarks/peers/serving`).
Each server is a process of its own, the load comes from the same machine and shares its cores, all servers run all
the time and are loaded in turns; medians of the rounds are printed. Random weights: the speed depends on no weight.
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import lightning.pytorch as pl
import msgspec
import numpy as np
import torch
import torchvision

from lit_export import Options, export
from lit_infer.hardware import cpu_model, usable_cpus

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import figures
from benchmarks.folder import make_images
from benchmarks.peers import serving as peers

SECONDS, ROUNDS, SIDE, PEER_PORT = 5, 3, 32, 9400

SPEC = """\
task: image-classification
preprocess: [{{resize: {{size: {resize}}}}}, {{center_crop: {{size: {crop}}}}}]
normalize: {{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}
"""
APART = ("--processes", "2")
SERVE = "from lit_infer.server.cli import main; main()"


class TinyCNN(pl.LightningModule):
    """Two convolutions on 32 x 32 pixels: next to nothing, so that what is measured is the server."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, stride=2),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, 16, 3, stride=2),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(16, 10),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits."""
        logits: torch.Tensor = self.layers(images)
        return logits


@dataclass(frozen=True)
class Leg:
    """One kind of request to one server, from so many connections."""

    name: str
    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 16


@dataclass(frozen=True)
class Load:
    """What came of it."""

    rate: float
    p99_ms: float
    failed: int


Driver = Callable[[Leg, Path], Load]


def main() -> None:
    """Measure in turns, print tables."""
    for program, package in (("wrk", "wrk"), ("h2load", "nghttp2-client")):
        if shutil.which(program) is None:
            sys.exit(f"this needs {program}. Run: apt-get install {package}")
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", action="store_true", help="mosec, LitServe and Triton too")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    print(f"{cpu_model()}, {usable_cpus()} cores shared with the load, load {os.getloadavg()[0]:.1f} before")
    with tempfile.TemporaryDirectory() as name:
        report_overhead(Path(name), asked.rounds)
        report_jpegs(Path(name), asked.rounds, with_peers=asked.peers)


def report_overhead(here: Path, rounds: int) -> None:
    """What the server costs, where the model costs next to nothing."""
    bundle = make_bundle(TinyCNN(), here / "tiny", side=SIDE)
    with serving(bundle, here) as (url, grpc_url), serving(bundle, here, *APART) as (apart_url, apart_grpc_url):
        rest, grpc = prepared_legs(url, grpc_url)
        legs: dict[str, tuple[Driver, Leg]] = {
            "REST, binary tensor (wrk)": (wrk, rest),
            "the same with --processes 2": (wrk, prepared_legs(apart_url, apart_grpc_url)[0]),
            "REST, binary tensor (h2load)": (h2load_http1, rest),
            "gRPC, raw tensor (h2load)": (h2load, grpc),
        }
        loads = in_turns(legs, here, rounds)
    print("\nTiny CNN, prepared tensors, 16 connections")
    for what, load in loads.items():
        print(row(what, load))
    ratio = loads["gRPC, raw tensor (h2load)"].rate / loads["REST, binary tensor (h2load)"].rate
    print(f"gRPC over REST, both by h2load: {ratio:.2f} (aim 0.8); REST aim: 2,500 requests/s")
    figures.note("grpc", ratio)


def report_jpegs(here: Path, rounds: int, *, with_peers: bool) -> None:
    """What a user gets: decoding, resizing, the graph."""
    network = torchvision.models.mobilenet_v3_small(weights=None).eval()
    bundle, jpeg = (
        make_bundle(network, here / "mobilenet", side=224, resize=256),
        make_images(here / "images")[0].read_bytes(),
    )
    if with_peers:
        peers.prepare()
    with ExitStack() as stack:
        url, _ = stack.enter_context(serving(bundle, here))
        apart_url, _ = stack.enter_context(serving(bundle, here, *APART))
        targets = {
            "lit-serve": Leg("lit-serve", f"{url}/predict", jpeg),
            "lit-serve --processes 2": Leg("lit-serve", f"{apart_url}/predict", jpeg),
        }
        for place, name in enumerate(peers.NAMES if with_peers else ()):
            port = PEER_PORT + place
            peer = stack.enter_context(peers.started(name, bundle / "model.onnx", jpeg, here, port=port))
            targets[name] = Leg(name, peer.url, peer.body, peer.headers)
        legs: dict[str, tuple[Driver, Leg]] = {
            f"{name}, {connections} connections": (wrk, replace(leg, connections=connections))
            for connections in (16, 64)
            for name, leg in targets.items()
        }
        loads = in_turns(legs, here, rounds)
    print(
        "\nMobileNetV3-small, one JPEG of 500x375 per request; lit-serve over the others, in threads and in processes"
    )
    for what, load in loads.items():
        name, connections = what.split(", ")
        if name.startswith("lit-serve"):
            print(row(what, load))
            continue
        ours = [loads[f"{one}, {connections}"] for one in list(targets)[:2]]
        ratios = [one.rate / load.rate for one in ours]
        print(row(what, load) + f"   {' and '.join(f'{ratio:.2f}' for ratio in ratios)} x")
        figure = f"{name}-{connections.split()[0]}"
        figures.note(figure, *ratios)
        if name == "mosec":
            figures.note(f"{figure}-p99", *(one.p99_ms / load.p99_ms for one in ours))


def row(what: str, load: Load) -> str:
    """A row of a table."""
    return f"{what:40} {load.rate:8.0f} requests/s   p99 {load.p99_ms:7.1f} ms   {load.failed} failed"


def in_turns(legs: dict[str, tuple[Driver, Leg]], here: Path, rounds: int) -> dict[str, Load]:
    """Medians of the rounds; failures are added up."""
    measured: dict[str, list[Load]] = {what: [] for what in legs}
    for _ in range(rounds):
        for what, (drive, leg) in legs.items():
            measured[what].append(drive(leg, here))
    return {
        what: Load(
            statistics.median(load.rate for load in loads),
            statistics.median(load.p99_ms for load in loads),
            sum(load.failed for load in loads),
        )
        for what, loads in measured.items()
    }


def make_bundle(network: torch.nn.Module, to: Path, *, side: int, resize: int | None = None) -> Path:
    """Export a network as its user would."""
    torch.manual_seed(0)
    to.mkdir()
    (to / "spec.yaml").write_text(SPEC.format(resize=resize or side, crop=side))
    made = export(network, ["onnx"], out=to / "bundle", options=Options(spec=to / "spec.yaml", publish=False))
    assert made.folder is not None, made.failed
    return made.folder


def prepared_legs(url: str, grpc_url: str) -> tuple[Leg, Leg]:
    """The same tensor over REST and gRPC."""
    from lit_infer.server.grpc import inference_pb2 as messages

    model = httpx.get(f"{url}/v2/models").json()["models"][0]
    (tensor,) = httpx.get(f"{url}/v2/models/{model}").json()["inputs"]
    shape = [1, *tensor["shape"][1:]]
    pixels = bytes(int(np.prod(shape)))
    inputs = [{**tensor, "shape": shape, "parameters": {"binary_data_size": len(pixels)}}]
    head = msgspec.json.encode({"inputs": inputs, "parameters": {"binary_data_output": True}})
    rest = Leg(
        "REST", f"{url}/v2/models/{model}/infer", head + pixels, {"Inference-Header-Content-Length": str(len(head))}
    )
    asked = messages.ModelInferRequest(model_name=model, raw_input_contents=[pixels])
    asked.inputs.add(name=tensor["name"], datatype=tensor["datatype"], shape=shape)
    framed = asked.SerializeToString()
    body = b"\0" + len(framed).to_bytes(4, "big") + framed
    path = "/inference.GRPCInferenceService/ModelInfer"
    return rest, Leg("gRPC", f"{grpc_url}{path}", body, {"content-type": "application/grpc", "te": "trailers"})


@contextmanager
def serving(bundle: Path, here: Path, *options: str) -> Iterator[tuple[str, str]]:
    """`lit-serve` on free ports: its addresses for REST and gRPC."""
    line = [sys.executable, "-c", SERVE, str(bundle), "--port", "0", "--grpc-port", "0", "--quiet", *options]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, cwd=here) as process:  # noqa: S603
        assert process.stderr is not None
        grpc = ""
        for text in process.stderr:
            if text.startswith("serving gRPC on "):
                grpc = text.split()[-1].removeprefix("grpc://")
            elif text.startswith("serving on "):
                yield text.split()[-1], f"http://{grpc}"
                break
        process.send_signal(signal.SIGTERM)


def wrk(leg: Leg, here: Path) -> Load:
    """One round by wrk."""
    (here / "body").write_bytes(leg.body)
    headers = "\n".join(f'wrk.headers["{key}"] = "{value}"' for key, value in leg.headers.items())
    script = (
        f'wrk.method = "POST"\nlocal file = io.open("{here}/body", "rb")\nwrk.body = file:read("*all")\n{headers}\n'
    )
    (here / "load.lua").write_text(script)
    said = run("wrk", "-t1", f"-c{leg.connections}", f"-d{SECONDS}s", "--latency", "-s", here / "load.lua", leg.url)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    p99 = milliseconds(found(r"99%\s+([\d.]+)(us|ms|s)", said))
    return Load(float(found(r"Requests/sec:\s+([\d.]+)", said)[1]), p99, int(failed[1]) if failed else 0)


def h2load(leg: Leg, here: Path, *options: str) -> Load:
    """One round by h2load, which speaks what gRPC is made of. It prints no p99; of the gRPC status it sees nothing."""
    (here / "body").write_bytes(leg.body)
    line = ["h2load", *options, "-t1", "-m1", f"-c{leg.connections}", f"-D{SECONDS}", "--warm-up-time=1"]
    for key, value in leg.headers.items():
        line += ["-H", f"{key}: {value}"]
    said = run(*line, "-d", here / "body", leg.url)
    failed = found(r"(\d+) failed, (\d+) errored", said)
    return Load(float(found(r"([\d.]+) req/s", said)[1]), float("nan"), int(failed[1]) + int(failed[2]))


def h2load_http1(leg: Leg, here: Path) -> Load:
    """h2load with HTTP/1.1, so that the two protocols are loaded by one program."""
    return h2load(leg, here, "--h1")


def run(*line: object) -> str:
    """What a load program printed."""
    done = subprocess.run([str(part) for part in line], capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout


def found(pattern: str, text: str) -> "re.Match[str]":
    """It must be there."""
    match = re.search(pattern, text)
    assert match, text
    return match


def milliseconds(match: "re.Match[str]") -> float:
    """Of a number and its unit."""
    return float(match[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[match[2]]


if __name__ == "__main__":
    main()
