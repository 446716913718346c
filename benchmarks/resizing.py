"""What preparing a photo costs one core: the compiled resize beside Pillow, torch and OpenCV, in processor time.

    python benchmarks/resizing.py            # a minute; with --peers some more

A 500 x 375 JPEG to 224 x 224, the shorter side to 256 and the centre cut. All run on one thread, in turns, so that a
noisy machine hurts all alike; the least of many rounds counts. Only Pillow and torch, each in its own arithmetic, have
the pixels of the module; OpenCV's differ from both, as do those of `--peers`: kornia-rs, cykooz-resizer, nvidia-dali.
"""

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import simplejpeg
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from lit_infer import images
from lit_infer.hardware import cpu_model
from lit_infer.images.preprocess import Step
from lit_infer.images.resampling import kernel

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import figures, peers

ROUNDS, CALLS = 15, 10
_STEPS = [{"resize": {"size": 256}}, {"center_crop": {"size": 224}}]
_SIZE, _BOX = (341, 256), (58, 16, 282, 240)


def main() -> None:
    """Print three tables."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    photo = np.array(Image.fromarray(load_sample_image("china.jpg")).resize((500, 375)))
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=90)
    others = _others(file.getvalue()) if "--peers" in sys.argv[1:] else {}
    print(f"{cpu_model()}, load {os.getloadavg()[0]:.1f}; {kernel.words()}")
    for name, filter_, flag in (
        ("bilinear", Image.Resampling.BILINEAR, cv2.INTER_LINEAR),
        ("bicubic", 3, cv2.INTER_CUBIC),
    ):
        title = f"resize and crop, {name}"
        over = _table(title, _resizes(photo, name, Image.Resampling(filter_), flag), others.get(title, {}))
        if name == "bilinear":
            figures.note("resize", over["ours, Pillow's bits"])
    title = "a JPEG to prepared pixels"
    over = _table(title, _preparing(file.getvalue()), others.get(title, {}))
    figures.note("prepared", 1 / over["with ours"])


def _others(jpeg: bytes) -> dict[str, dict[str, float]]:
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(jpeg)
        file.flush()
        return peers.resizing(Path(file.name))


def _resizes(photo: np.ndarray, name: str, resample: Image.Resampling, flag: int) -> dict[str, Callable[[], object]]:
    image = Image.fromarray(photo)
    tensor = torch.from_numpy(photo).permute(2, 0, 1)[None]
    how = {"size": _SIZE[::-1], "mode": name, "antialias": True}

    def by_torch() -> torch.Tensor:
        return torch.nn.functional.interpolate(tensor, **how)[:, :, 16:240, 58:282].contiguous()

    return {
        "Pillow": lambda: image.resize(_SIZE, resample).crop(_BOX),
        "ours, Pillow's bits": lambda: kernel.by_pillow(photo, _SIZE, name, _BOX),
        "torch": by_torch,
        "ours, torch's bits": lambda: kernel.by_torch(photo, _SIZE, name, _BOX, antialias=True),
        "OpenCV (other pixels)": lambda: cv2.resize(photo, _SIZE, interpolation=flag)[16:240, 58:282],
    }


def _preparing(data: bytes) -> dict[str, Callable[[], object]]:
    steps = msgspec.convert(_STEPS, tuple[Step, ...])

    def prepare(pixels: str) -> object:
        os.environ["LIT_PIXELS"] = pixels
        return images.prepare(data, steps=steps, channels=3)

    return {
        "with Pillow's resize": lambda: prepare("pillow"),
        "with ours": lambda: prepare(""),
        "decoding alone (the limit)": lambda: simplejpeg.decode_jpeg(data, colorspace="RGB"),
    }


def _table(title: str, ways: dict[str, Callable[[], object]], others: dict[str, float]) -> dict[str, float]:
    """Print what each way takes; returns the least of each over the first's."""
    took = {name: [_once(way) for _ in range(2)] for name, way in ways.items()}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            took[name].append(_once(way))
    first = min(next(iter(took.values())))
    print(f"\n| {title} | ms, least | ms, median | least over the first | per second and core |\n|---|---|---|---|---|")
    for name, values in took.items():
        median = statistics.median(values)
        print(f"| {name} | {min(values):.3f} | {median:.3f} | {min(values) / first:.2f} | {1e3 / min(values):.0f} |")
    for name, least in others.items():
        print(f"| {name} (other pixels) | {least:.3f} | | {least / first:.2f} | {1e3 / least:.0f} |")
    return {name: min(values) / first for name, values in took.items()}


def _once(way: Callable[[], object]) -> float:
    started = time.thread_time()
    for _ in range(CALLS):
        way()
    return (time.thread_time() - started) / CALLS * 1e3


if __name__ == "__main__":
    main()
