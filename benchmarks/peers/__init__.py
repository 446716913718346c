"""What others would use instead, each in an environment of its own: `run_peer("torchvision", folder)`.

| peer | what it is | environment |
|---|---|---|
| torchvision | eager model, DataLoader over the folder, at the best of a few worker and thread counts | torch.txt |
| onnxruntime | a hand-written threaded loop: Pillow, normalisation on the host, a float graph | onnxruntime.txt |
| torchvision-one | a fresh process that answers for one image; wall time from outside | torch.txt |
| resizing | kornia-rs, cykooz-resizer and nvidia-dali on the CPU: one JPEG, to other pixels | resizing.txt |

Weights are random: the speed depends on neither's content. The environments are made once, in .tools/peers/, from the
versions in the lists beside this file, which are those of uv.lock: what is compared is the pipeline, not the release.
"""

import json
import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = {"torchvision": "torch", "onnxruntime": "onnxruntime", "torchvision-one": "torch"}
_STARTS = 3


def run_peer(
    name: str, folder: Path, *, architecture: str = "mobilenet_v3_small", batch_size: int = 8, rounds: int = 3
) -> dict[str, Any]:
    """Run a peer over a folder of JPEGs. The folder peers give `images_per_s`, torchvision-one gives `seconds`.

    Both are medians, and `best` says with which settings. Make the environments beforehand (`prepare`), so that
    nothing is installed while something is measured.
    """
    if name == "torchvision-one":
        return _one(folder, architecture)
    arguments = [str(folder), architecture, str(batch_size), str(rounds)]
    if name == "onnxruntime":
        arguments[1] = str(float_graph(architecture))
    return _answer(_script(name, f"{name}_loop.py", *arguments))


def resizing(jpeg: Path) -> dict[str, dict[str, float]]:
    """Milliseconds of processor time that other libraries take for a JPEG, by what they do and by their names."""
    return _answer([str(environment("resizing")), "-W", "ignore", str(HERE / "resizing_loop.py"), str(jpeg)])


def prepare(architecture: str) -> None:
    """Make the environments, the float graph and the weights."""
    float_graph(architecture)
    environment("onnxruntime")


def float_graph(architecture: str) -> Path:
    """The architecture with float32 input [batch, 3, 224, 224], normalised by the caller; its weights lie beside it."""
    made = ROOT / ".tools/peers/models" / f"{architecture}.onnx"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        _answer(_script("torchvision", "float_graph.py", architecture, str(made)))
    return made


def line_for_one(image: Path, architecture: str) -> list[str]:
    """The command of torchvision-one. Its environment and its weights are made if they are not there."""
    weights = float_graph(architecture).with_suffix(".pth")
    return _script("torchvision", "torchvision_one.py", str(image), architecture, str(weights))


def _one(folder: Path, architecture: str) -> dict[str, Any]:
    """From starting the process to its end; the first start fills the system's cache and is not counted."""
    line = line_for_one(min(folder.glob("*.jpg")), architecture)
    seconds = []
    for _ in range(_STARTS + 1):
        started = time.perf_counter()
        _answer(line)
        seconds.append(time.perf_counter() - started)
    return {"peer": "torchvision-one", "seconds": statistics.median(seconds[1:])}


def _script(peer: str, file: str, *arguments: str) -> list[str]:
    return [str(environment(PEERS[peer])), "-W", "ignore", str(HERE / file), *arguments]


def _answer(line: list[str]) -> dict[str, Any]:
    """What a script printed last, one line of JSON."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{' '.join(line)}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def environment(name: str) -> Path:
    """The interpreter of an environment, made if it is not there or if its list has changed."""
    folder, wanted = ROOT / ".tools/peers" / name, (HERE / f"{name}.txt").read_text()
    python, made = folder / "bin/python", folder / "made-from.txt"
    if not made.exists() or made.read_text() != wanted:
        uv = shutil.which("uv") or str(ROOT / ".tools/bin/uv")
        settings = {**os.environ, "UV_SYSTEM_CERTS": "1"}
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", "3.11", folder], check=True, env=settings)  # noqa: S603
        wanted_from = HERE / f"{name}.txt"
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "-r", wanted_from]
        subprocess.run(install, check=True, env=settings)  # noqa: S603
        made.write_text(wanted)
    return python
