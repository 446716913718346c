"""What a backend engineer meets first: the size of the install, the time of the import, and of one image's answer.

    python benchmarks/startup.py

A fresh environment with the built wheel and `cpu` alone. `lit-infer one.jpg` (ResNet-18) from the start of the process
to its end, in turns with the same in torchvision, and with the least that any onnxruntime program needs: import it,
open the same graph, run it once. Bytecode is compiled beforehand in all environments, as pip does.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import torch
import torchvision

from lit_export import Options, export

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks import peers  # noqa: E402 - benchmarks are scripts, not an installed package
from benchmarks.folder import IMAGENET, make_images  # noqa: E402

ROUNDS = 9
FLOOR = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
session.run(None, {"images": numpy.zeros((1, 224, 224, 3), numpy.uint8)})
"""
MEBIBYTE = 2**20


def main() -> None:
    """Measure in turns, print."""
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        slim = make_slim(here)
        bundle = make_bundle(here)
        image = make_images(here / "images")[0]
        legs = {
            "python -c pass": [slim / "python", "-c", "pass"],
            "import lit_infer": [slim / "python", "-c", "import lit_infer"],
            "onnxruntime alone, one run": [slim / "python", "-c", FLOOR, bundle / "model.onnx"],
            "lit-infer one.jpg": [slim / "lit-infer", image, "--model", bundle, "--output", here / "rows.jsonl"],
            "torchvision, one.jpg": peers.line_for_one(image, "resnet18"),
        }
        found = in_turns(legs)
        size, compiled = install_size(slim)
    for leg, seconds in found.items():
        print(f"{leg:32}{seconds:8.3f} s")
    ours, bare = found["lit-infer one.jpg"], found["python -c pass"]
    print(f"lit-infer over torchvision      {ours / found['torchvision, one.jpg']:8.3f}   (at most 1/6 = 0.167; 0.7 s)")
    print(f"lit-infer over onnxruntime alone{ours / found['onnxruntime alone, one run']:8.3f}")
    print(f"import lit_infer                {found['import lit_infer'] - bare:8.3f} s   (at most 0.2)")
    print(f"base + cpu install              {size:8.0f} MiB (at most 160), {compiled:.0f} with its bytecode")


def in_turns(legs: dict[str, Iterable[object]]) -> dict[str, float]:
    """Median seconds of each command; its first run fills the system's caches and is not counted."""
    times: dict[str, list[float]] = {leg: [] for leg in legs}
    for _ in range(ROUNDS + 1):
        for leg, line in legs.items():
            started = time.perf_counter()
            subprocess.run([str(part) for part in line], check=True, capture_output=True)  # noqa: S603
            times[leg].append(time.perf_counter() - started)
    return {leg: statistics.median(seconds[1:]) for leg, seconds in times.items()}


def make_slim(here: Path) -> Path:
    """The bin folder of an environment with the wheel and what `lit-deploy[cpu]` brings."""
    uv = shutil.which("uv") or str(ROOT / ".tools/bin/uv")
    lines: list[list[object]] = [
        [uv, "build", "--wheel", "--quiet", "--out-dir", here, ROOT],
        [uv, "venv", "--quiet", "--python", "3.11", here / "slim"],
    ]
    for line in lines:
        subprocess.run([str(part) for part in line], check=True)  # noqa: S603
    wheel = next(here.glob("*.whl"))
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", here / "slim", f"{wheel}[cpu]"]
    subprocess.run([str(part) for part in install], check=True)  # noqa: S603
    return here / "slim/bin"


def install_size(slim: Path) -> tuple[float, float]:
    """MiB of the environment's packages, without and with compiled bytecode."""
    (packages,) = (slim.parent / "lib").glob("python*/site-packages")
    files = [path for path in packages.rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    bytecode = sum(path.stat().st_size for path in files if path.suffix == ".pyc")
    return (total - bytecode) / MEBIBYTE, total / MEBIBYTE


def make_bundle(here: Path) -> Path:
    """torchvision's ResNet-18, exported as its user would."""
    torch.manual_seed(0)
    (here / "spec.yaml").write_text(IMAGENET)
    network = torchvision.models.resnet18(weights=None).eval()
    made = export(network, ["onnx"], out=here / "bundle", options=Options(spec=here / "spec.yaml", publish=False))
    assert made.folder is not None, made.failed
    return made.folder


if __name__ == "__main__":
    main()
