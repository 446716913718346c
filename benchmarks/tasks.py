"""Per vision task: images per second of `lit-infer` over a folder, over the eager module as people run it.

    python benchmarks/tasks.py [TASK ...]                          # about five minutes on two cores

The eager way opens each JPEG with Pillow, applies torchvision's transforms, stacks batches of 8 and calls the module in
inference mode on all cores; answers are brought back to the image's own size with torch. Both do all of the work,
in turns, on the same 500 x 375 JPEGs; random weights, and medians of the rounds.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms import v2

from lit_export import Options, export
from lit_export.tasks.images import image_noise
from lit_infer import load
from lit_infer.folder import run_job
from lit_infer.folder.job import Job
from lit_infer.folder.sources import FileSource, Inputs
from lit_infer.hardware import cpu_model, usable_cpus

COUNT, ROUNDS, BATCH = 48, 3, 8
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SPEC = """\
task: {task}
preprocess: [{{resize: {{size: [{size}, {size}]}}}}]
normalize: {{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}
"""


@dataclass(frozen=True)
class Case:
    """A task, a module for it, and what its user does with the module's answers."""

    task: str
    what: str
    make: Callable[[], nn.Module]
    finish: Callable[[Any, Sequence[tuple[int, int]]], object]
    """From the module's answer and the images' (height, width) to what is kept."""
    size: int = 224
    more: str = ""
    """More lines of the spec."""


class Wrapped(pl.LightningModule):
    """As a user wraps a library's network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Any:
        """Whatever the network answers."""
        return self.network(images)


class Boxes(nn.Module):
    """A backbone with DETR's kind of head: 100 boxes and their classes."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _model("mobilenet_v3_small").features
        self.head = nn.Conv2d(576, 2 * (4 + 8), 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """98 candidates of 7 x 7 places."""
        found = self.head(self.backbone(images)).flatten(2).unflatten(1, (2, 12)).permute(0, 1, 3, 2).flatten(1, 2)
        return {"pred_boxes": torch.sigmoid(found[..., :4]), "logits": 30 * found[..., 4:]}


class Shuffled(nn.Module):
    """A small network from image to image of the same size."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 3, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Values between 0 and 1."""
        return torch.sigmoid(self.parts(images))


class Heatmaps(nn.Module):
    """A backbone and 17 heat maps of a quarter of the size."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _model("mobilenet_v3_small").features
        self.head = nn.Sequential(nn.Conv2d(576, 17, 1), nn.Upsample(scale_factor=8, mode="bilinear"))

    def forward(self, images: Tensor) -> Tensor:
        """[batch, 17, height / 4, width / 4]."""
        return self.head(self.backbone(images))


class Reconstruction(nn.Module):
    """How far a small network's reconstruction of the features is from them: a map, and its largest value."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _model("resnet18")
        self.backbone = nn.Sequential(*list(self.backbone.children())[:6])
        self.squeeze = nn.Sequential(nn.Conv2d(128, 16, 1), nn.ReLU(), nn.Conv2d(16, 128, 1))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`pred_score` [batch] and `anomaly_map` [batch, 1, height, width]."""
        found = self.backbone(images)
        away = (found - self.squeeze(found)).pow(2).mean(1, keepdim=True)
        away = functional.interpolate(away, images.shape[2:], mode="bilinear")
        return {"pred_score": away.flatten(1).amax(1), "anomaly_map": away}


def _model(name: str, **options: Any) -> nn.Module:
    return torchvision.models.get_model(name, weights=None, **options)


def _classes(found: Tensor, _: Sequence[tuple[int, int]]) -> object:
    return torch.softmax(found, 1).topk(5)


def _masks(found: dict[str, Tensor], sizes: Sequence[tuple[int, int]]) -> object:
    best = found["out"].argmax(1, keepdim=True).to(torch.uint8)
    return [functional.interpolate(one[None], size, mode="nearest") for one, size in zip(best, sizes, strict=True)]


def _boxes(found: dict[str, Tensor], sizes: Sequence[tuple[int, int]]) -> object:
    scores, labels = torch.softmax(found["logits"], -1)[..., :-1].max(-1)
    kept = []
    for boxes, score, label, (height, width) in zip(found["pred_boxes"], scores, labels, sizes, strict=True):
        corners = torchvision.ops.box_convert(boxes, "cxcywh", "xyxy") * torch.tensor([width, height, width, height])
        there = score > 0.2
        kept.append((corners[there], score[there], label[there]))
    return kept


def _images(found: Tensor, sizes: Sequence[tuple[int, int]]) -> object:
    larger = (
        functional.interpolate(one[None], size, mode="bilinear")[0] for one, size in zip(found, sizes, strict=True)
    )
    return [torchvision.io.encode_png(one.mul(255).round().to(torch.uint8)) for one in larger]


def _points(found: Tensor, sizes: Sequence[tuple[int, int]]) -> object:
    best = found.flatten(2).argmax(2)
    height, width = found.shape[2:]
    x, y = (best % width + 0.5) / width, (best // width + 0.5) / height
    return [torch.stack((x[i] * w, y[i] * h), 1) for i, (h, w) in enumerate(sizes)]


def _maps(found: dict[str, Tensor], sizes: Sequence[tuple[int, int]]) -> object:
    maps = found["anomaly_map"]
    return [functional.interpolate(one[None], size, mode="bilinear") for one, size in zip(maps, sizes, strict=True)]


CASES = (
    Case("image-classification", "MobileNetV3-small", lambda: _model("mobilenet_v3_small"), _classes),
    Case("image-embedding", "ResNet-18's features", lambda: _without_head("resnet18"), lambda found, _: found),
    Case(
        "image-segmentation",
        "LR-ASPP, MobileNetV3",
        lambda: _model("lraspp_mobilenet_v3_large", weights_backbone=None, num_classes=21),
        _masks,
    ),
    Case(
        "object-detection",
        "MobileNetV3-small, 98 boxes",
        Boxes,
        _boxes,
        more="answers: {scores: softmax, threshold: 0.2}",
    ),
    Case("keypoint-detection", "MobileNetV3-small, 17 heat maps", Heatmaps, _points),
    Case("image-to-image", "three convolutions", Shuffled, _images),
    Case("anomaly-detection", "ResNet-18, reconstruction", Reconstruction, _maps, more="answers: {threshold: 0.5}"),
)


def _without_head(name: str) -> nn.Module:
    network = _model(name)
    network.fc = nn.Identity()
    return network


def main() -> None:
    """A row for each task."""
    asked = sys.argv[1:] or [case.task for case in CASES]
    print(f"{cpu_model()}, {usable_cpus()} cores, load {os.getloadavg()[0]:.1f}; {COUNT} JPEGs of 500 x 375\n")
    print("| task | module | eager, images/s | lit-infer, images/s | times |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        images = photos(here / "photos")
        for case in CASES:
            if case.task in asked:
                print(row(case, images, here / case.task), flush=True)


def row(case: Case, images: list[Path], here: Path) -> str:
    """Both ways in turns."""
    here.mkdir()
    torch.manual_seed(0)
    module = Wrapped(case.make()).eval()
    (here / "spec.yaml").write_text(_SPEC.format(task=case.task, size=case.size) + case.more + "\n")
    export(module, ["onnx"], out=here / "bundle", options=Options(spec=here / "spec.yaml", publish=False))
    torch.set_num_threads(usable_cpus())
    eager, ours = [], []
    inputs = Inputs([FileSource(path) for path in images])
    job = Job(output=here / "rows.jsonl", embeddings=here / "all.npy" if case.task == "image-embedding" else None)
    with load(here / "bundle") as model:
        for _ in range(ROUNDS + 1):
            eager.append(rate(lambda: run_eager(case, module, images)))
            ours.append(rate(lambda: run_job(model, inputs, job)))
    one, other = statistics.median(eager[1:]), statistics.median(ours[1:])
    return f"| {case.task} | {case.what} | {one:.0f} | {other:.0f} | {other / one:.1f} |"


def rate(work: Callable[[], object]) -> float:
    """Images per second."""
    started = time.perf_counter()
    work()
    return COUNT / (time.perf_counter() - started)


@torch.inference_mode()
def run_eager(case: Case, module: nn.Module, images: Sequence[Path]) -> None:
    """As a user does without any of this project."""
    transform = v2.Compose(
        [
            v2.Resize((case.size, case.size)),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(_MEAN, _STD),
        ]
    )
    for start in range(0, len(images), BATCH):
        opened = [Image.open(path).convert("RGB") for path in images[start : start + BATCH]]
        found = module(torch.stack([transform(image) for image in opened]))
        case.finish(found, [(image.height, image.width) for image in opened])


def photos(where: Path) -> list[Path]:
    """Pictures with the detail of photographs."""
    where.mkdir()
    paths = []
    for number in range(COUNT):
        values = image_noise(np.random.default_rng(number), 1, (375, 500, 3))[0]
        paths.append(where / f"{number:03}.jpg")
        Image.fromarray(values.astype(np.uint8)).save(paths[-1], quality=90)
    return paths


if __name__ == "__main__":
    main()
