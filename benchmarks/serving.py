"""How many requests a second one server answers, in one run: `python benchmarks/serving.py`. Needs wrk (Debian's).

The server is a process of its own, the load is wrk on the same machine, so both share its cores. Legs are measured in
turns, and the median of the rounds is printed. The tiny CNN has random weights: speed depends on no weight.
"""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import lightning.pytorch as pl
import msgspec
import numpy as np
import torch
from PIL import Image

from lit_export import Options, export
from lit_infer.hardware import cpu_model, usable_cpus

CONNECTIONS, SECONDS, ROUNDS, SIDE = 16, 5, 3, 32

SPEC = f"""\
task: image-classification
preprocess: [{{resize: {{size: {SIDE}}}}}, {{center_crop: {{size: {SIDE}}}}}]
normalize: {{mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}}
"""

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
    """One kind of request."""

    name: str
    path: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Load:
    """What wrk found."""

    rate: float
    p99_ms: float
    failed: int


def main() -> None:
    """Measure in turns, print a table."""
    if shutil.which("wrk") is None:
        sys.exit("this needs wrk. Run: apt-get install wrk")
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        bundle = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else make_bundle(here)
        found: dict[str, list[Load]] = {}
        with serving(bundle, here) as url:
            legs = make_legs(url)
            for _ in range(ROUNDS):
                for leg in legs:
                    found.setdefault(leg.name, []).append(run_wrk(leg, url, here))
    print(
        f"{cpu_model()}, {usable_cpus()} cores shared with wrk, {CONNECTIONS} connections, load "
        f"{os.getloadavg()[0]:.1f}"
    )
    for name, loads in found.items():
        rate, p99 = (statistics.median(getattr(load, field) for load in loads) for field in ("rate", "p99_ms"))
        print(f"{name:36} {rate:8.0f} requests/s   p99 {p99:6.1f} ms   {sum(load.failed for load in loads)} failed")


def make_bundle(here: Path) -> Path:
    """Export the tiny CNN as its user would."""
    torch.manual_seed(0)
    (here / "spec.yaml").write_text(SPEC)
    options = Options(spec=here / "spec.yaml", publish=False)
    bundle = export(TinyCNN(), ["onnx"], out=here / "bundle", options=options)
    assert bundle.folder is not None, bundle.failed
    return bundle.folder


def make_legs(url: str) -> list[Leg]:
    """A JPEG for people's route, the same in the protocol, and a prepared tensor."""
    described = get(f"{url}/v2/models")["models"][0]
    (tensor,) = get(f"{url}/v2/models/{described}")["inputs"]
    shape, jpeg = [1, *tensor["shape"][1:]], make_jpeg()
    infer = f"/v2/models/{described}/infer"
    pixels = bytes(int(np.prod(shape)))
    element = len(jpeg).to_bytes(4, "little") + jpeg
    return [
        Leg("JPEG 500x375, /predict", "/predict", jpeg, {}),
        binary_leg("JPEG 500x375, infer, binary", infer, {**tensor, "datatype": "BYTES", "shape": [1]}, element),
        binary_leg("prepared tensor, infer, binary", infer, {**tensor, "shape": shape}, pixels),
    ]


def binary_leg(name: str, path: str, tensor: dict[str, Any], blob: bytes) -> Leg:
    """A request with one binary input and binary outputs."""
    inputs = [{**tensor, "parameters": {"binary_data_size": len(blob)}}]
    head = msgspec.json.encode({"inputs": inputs, "parameters": {"binary_data_output": True}})
    return Leg(name, path, head + blob, {"Inference-Header-Content-Length": str(len(head))})


def make_jpeg() -> bytes:
    """A JPEG with the detail of a photograph: noise over gradients."""
    generator = np.random.default_rng(0)
    smooth = generator.integers(0, 256, (12, 16, 3)).astype(np.uint8)
    picture = np.asarray(Image.fromarray(smooth).resize((500, 375), Image.Resampling.BICUBIC)).astype(np.int16)
    noisy = (picture + generator.normal(0, 8, picture.shape)).clip(0, 255).astype(np.uint8)
    with tempfile.TemporaryFile() as file:
        Image.fromarray(noisy).save(file, "JPEG", quality=90)
        file.seek(0)
        return file.read()


@contextmanager
def serving(bundle: Path, here: Path) -> Iterator[str]:
    """`lit-serve` on a free port."""
    line = [sys.executable, "-c", SERVE, str(bundle), "--port", "0", "--quiet"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, cwd=here) as process:  # noqa: S603
        assert process.stderr is not None
        for text in process.stderr:
            if text.startswith("serving on "):
                yield text.split()[-1]
                break
        process.send_signal(signal.SIGTERM)


def run_wrk(leg: Leg, url: str, here: Path) -> Load:
    """One round of one leg."""
    (here / "body").write_bytes(leg.body)
    headers = "\n".join(f'wrk.headers["{key}"] = "{value}"' for key, value in leg.headers.items())
    script = (
        f'wrk.method = "POST"\nlocal file = io.open("{here}/body", "rb")\nwrk.body = file:read("*all")\n{headers}\n'
    )
    (here / "load.lua").write_text(script)
    line = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{SECONDS}s",
        "--latency",
        "-s",
        str(here / "load.lua"),
        url + leg.path,
    ]
    said = subprocess.run(line, capture_output=True, text=True, check=True).stdout  # noqa: S603
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert p99, said
    assert rate, said
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Load(
        float(rate[1]), float(p99[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[p99[2]], int(failed[1]) if failed else 0
    )


def get(url: str) -> Any:
    """JSON from the server."""
    return httpx.get(url).json()


if __name__ == "__main__":
    main()
