"""Small data sets in the real on-disk formats, for torchvision's own classes to read."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from lit_trainer.data.cifar10 import LABELS


def write_cifar10(root: Path, patch: pytest.MonkeyPatch, *, per_batch: int = 20, test: int = 30) -> None:
    """`cifar-10-batches-py`: pickles of rows of 3,072 bytes. torchvision is told these files' checksums."""
    folder = root / datasets.CIFAR10.base_folder
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def write(name: str, content: dict[str, object]) -> str:
        data = pickle.dumps(content, protocol=2)
        (folder / name).write_bytes(data)
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    def images(name: str, count: int) -> list[str]:
        rows = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        labels = [index % 10 for index in range(count)]
        return [name, write(name, {"batch_label": name, "data": rows, "labels": labels, "filenames": []})]

    patch.setattr(datasets.CIFAR10, "train_list", [images(f"data_batch_{n}", per_batch) for n in range(1, 6)])
    patch.setattr(datasets.CIFAR10, "test_list", [images("test_batch", test)])
    meta = write("batches.meta", {"label_names": list(LABELS), "num_cases_per_batch": per_batch, "num_vis": 3072})
    patch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": meta})


def write_mnist(root: Path, *, train: int = 120, test: int = 30) -> None:
    """`MNIST/raw`: idx files, big-endian sizes and then the bytes."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        header = np.array([0x803, count, 28, 28], ">i4").tobytes()
        (folder / f"{name}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        labels = (np.arange(count) % 10).astype(np.uint8)
        header = np.array([0x801, count], ">i4").tobytes()
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())


def write_photos(root: Path, **classes: int) -> None:
    """A folder per class, with so many images in it: JPEG and PNG, colour and grayscale, of odd sizes."""
    for label, count in classes.items():
        folder = root / label
        folder.mkdir(parents=True)
        for index in range(count):
            photo(seed=len(label) * 100 + index).save(folder / f"{index:03d}.{'jpg' if index % 2 else 'png'}")


def photo(seed: int) -> Image.Image:
    """A noisy picture of odd size; every third is grayscale."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(31, 77, 2) | 1
    shape = (height, width) if seed % 3 == 0 else (height, width, 3)
    return Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
