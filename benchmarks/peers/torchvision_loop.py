"""In the torch environment: torchvision's own transform and eager model behind a DataLoader, at its best here.

And as a DataLoader comes: one image a batch, a worker a core, torch's own number of threads.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2


class Images(Dataset):
    """The JPEGs of a folder, transformed as torchvision's references do."""

    def __init__(self, folder):
        self.paths = sorted(Path(folder).glob("*.jpg"))
        self.transform = v2.Compose(
            [
                v2.Resize(256),
                v2.CenterCrop(224),
                v2.PILToTensor(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            ]
        )

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as image:
            return self.transform(image.convert("RGB"))


def rate(images, model, batch_size, workers, threads):
    """Images per second, the workers' start included as in any real run."""
    torch.set_num_threads(threads)
    started = time.perf_counter()
    with torch.inference_mode():
        for batch in DataLoader(images, batch_size, num_workers=workers):
            model(batch).softmax(1).topk(5)
    return len(images) / (time.perf_counter() - started)


def main():
    """Try each setting once after a warm-up, then repeat the best."""
    folder, architecture, batch_size, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    cores = len(os.sched_getaffinity(0))
    images = Images(folder)
    model = torchvision.models.get_model(architecture, weights=None).eval()
    settings = [(size, *rest) for size in {batch_size, 32} for rest in ((0, cores), (cores, cores), (cores, 1))]
    rate(images, model, batch_size, 0, cores)
    best = max(settings, key=lambda setting: rate(images, model, *setting))
    found = statistics.median(rate(images, model, *best) for _ in range(rounds))
    default = statistics.median(rate(images, model, 1, cores, cores) for _ in range(rounds))
    named = dict(zip(("batch_size", "workers", "threads"), best, strict=True))
    answer = {"peer": "torchvision", "images_per_s": found, "images": len(images), "best": named}
    print(json.dumps({**answer, "default_images_per_s": default}))


if __name__ == "__main__":
    main()
