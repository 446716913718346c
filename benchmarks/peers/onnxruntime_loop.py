"""In the onnxruntime environment: what one writes by hand. Threads that each decode, normalise and run a batch."""

import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def prepared(path):
    """Resize the shorter side to 256, crop 224, scale, normalise, channels first."""
    with Image.open(path) as opened_image:
        image = opened_image.convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), dtype=np.float32) / 255
    return ((pixels - MEAN) / STD).transpose(2, 0, 1)


def opened(graph, threads):
    """A session with so many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def rate(paths, session, batch_size, workers):
    """Images per second."""

    def work(start):
        batch = np.stack([prepared(path) for path in paths[start : start + batch_size]])
        (logits,) = session.run(None, {"images": batch})
        return logits.argsort(1)[:, -5:]

    started = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, range(0, len(paths), batch_size)):
            pass
    return len(paths) / (time.perf_counter() - started)


def main():
    """Try a few settings once after a warm-up, then repeat the best."""
    folder, graph, batch_size, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    cores = len(os.sched_getaffinity(0))
    paths = sorted(Path(folder).glob("*.jpg"))
    sessions = {threads: opened(graph, threads) for threads in {1, cores}}
    settings = [
        (size, workers, threads) for size in (1, batch_size) for workers in (cores, 2 * cores) for threads in sessions
    ]

    def measured(setting):
        size, workers, threads = setting
        return rate(paths, sessions[threads], size, workers)

    measured((batch_size, cores, 1))
    best = max(settings, key=measured)
    found = statistics.median(measured(best) for _ in range(rounds))
    named = dict(zip(("batch_size", "workers", "threads"), best, strict=True))
    print(json.dumps({"peer": "onnxruntime", "images_per_s": found, "images": len(paths), "best": named}))


if __name__ == "__main__":
    main()
