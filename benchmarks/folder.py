"""How near the folder pipeline comes to its limit, in one run: `make bench`.

The limit is what the cores could do if preparing images and running the graph shared them without any loss:
1 / (1/preparing rate + 1/model rate), each measured alone on the same cores with the same libraries. Uses random
weights of MobileNetV3-small at 224x224 and 500x375 JPEGs: the speed depends on neither's content.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
import torchvision
from PIL import Image

from lit_export import export
from lit_infer import folder, load
from lit_infer.hardware import DEFAULT_BATCH_SIZE, cpu_model, usable_cpus
from lit_infer.predictor import Predictor

COUNT, ROUNDS = 256, 5

SPEC = """\
task: image-classification
preprocess: [{resize: {size: 256}}, {center_crop: {size: 224}}]
normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
"""


class MobileNet(pl.LightningModule):
    """torchvision's MobileNetV3-small, as a user would wrap it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = torchvision.models.mobilenet_v3_small(weights=None)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits."""
        logits: torch.Tensor = self.network(images)
        return logits


def main() -> None:
    """Measure in turns, print rates and the ratio to the limit."""
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        model = load(make_bundle(here))
        images = make_images(here / "images")
        rates: dict[str, list[float]] = {name: [] for name in ("prepare", "model", "stream", "submit", "folder")}
        for _ in range(ROUNDS):
            rates["prepare"].append(rate(lambda: prepare_all(model, images)))
            rates["model"].append(rate(lambda: run_all(model)))
            rates["stream"].append(rate(lambda: stream_all(model, images)))
            rates["submit"].append(rate(lambda: submit_all(model, images)))
            rates["folder"].append(rate(lambda: folder_all(model, images, here / "rows.jsonl")))
        overhead = overhead_us(model)
    found = {what: statistics.median(values) for what, values in rates.items()}
    limit = 1 / (1 / found["prepare"] + 1 / found["model"])
    print(f"{cpu_model()}, {usable_cpus()} cores")
    print(f"{COUNT} JPEGs of 500x375, MobileNetV3-small fp32, batch {DEFAULT_BATCH_SIZE}")
    print(f"preparing alone   {found['prepare']:8.0f} images/s")
    print(f"model alone       {found['model']:8.0f} images/s")
    print(f"limit             {limit:8.0f} images/s")
    print(f"model.stream      {found['stream']:8.0f} images/s   {found['stream'] / limit:.2f} of the limit")
    print(
        f"32 x model.submit {found['submit']:8.0f} images/s   {found['submit'] / found['stream']:.2f} of model.stream"
    )
    print(f"model.run         {overhead:8.0f} us over the engine's own call")
    print(f"lit-infer folder  {found['folder']:8.0f} images/s   {found['folder'] / limit:.2f} of the limit")


def make_bundle(here: Path) -> Path:
    """Export the model as its user would."""
    torch.manual_seed(0)
    module = MobileNet()
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=here)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(here / "net.ckpt")
    (here / "spec.yaml").write_text(SPEC)
    class_path = f"{MobileNet.__module__}:{MobileNet.__qualname__}"
    bundle = export(
        checkpoint=here / "net.ckpt", to=["onnx"], class_path=class_path, spec=here / "spec.yaml", out=here / "bundle"
    )
    assert bundle.folder is not None, bundle.failed
    return bundle.folder


def make_images(to: Path) -> list[Path]:
    """JPEGs with the detail of photographs: noise over gradients."""
    to.mkdir()
    generator = np.random.default_rng(0)
    paths = []
    for index in range(COUNT):
        smooth = generator.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        picture = np.asarray(Image.fromarray(smooth).resize((500, 375), Image.Resampling.BICUBIC)).astype(np.int16)
        noisy = (picture + generator.normal(0, 8, picture.shape)).clip(0, 255).astype(np.uint8)
        paths.append(to / f"{index:04d}.jpg")
        Image.fromarray(noisy).save(paths[-1], quality=90)
    return paths


def rate(work: Callable[[], None]) -> float:
    """Images per second."""
    started = time.perf_counter()
    work()
    return COUNT / (time.perf_counter() - started)


def prepare_all(model: Predictor, images: list[Path]) -> None:
    """Read, decode, resize and crop on all cores; nothing else."""
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for _ in pool.map(model.prepare, images):
            pass


def run_all(model: Predictor) -> None:
    """The graph on prepared batches; nothing else. A thread a core, each on one core: the graph alone at its best."""
    batch = np.zeros((DEFAULT_BATCH_SIZE, *model.manifest.image_shape), dtype=np.uint8)
    run, batches = model.sessions.for_many(), COUNT // DEFAULT_BATCH_SIZE
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for _ in pool.map(lambda _: run([batch]), range(batches)):
            pass


def stream_all(model: Predictor, images: list[Path]) -> None:
    """From paths to predictions, without the rows that a folder run writes."""
    for _ in model.stream(images):
        pass


def submit_all(model: Predictor, images: list[Path]) -> None:
    """32 callers that hand in one image each and wait for its answer."""
    with ThreadPoolExecutor(32) as pool:
        for _ in pool.map(lambda image: model.submit(image).result(), images):
            pass


def overhead_us(model: Predictor) -> float:
    """What `run` adds to the engine's own call, for one prepared array: the difference of the quickest of many."""
    one = np.zeros((1, *model.manifest.image_shape), dtype=np.uint8)
    bare = model.sessions.for_one()
    times: dict[str, list[float]] = {"bare": [], "run": []}
    for _ in range(200):
        for what, call in (("bare", lambda: bare([one])), ("run", lambda: model.run({"images": one}))):
            started = time.perf_counter()
            call()
            times[what].append(time.perf_counter() - started)
    return (min(times["run"]) - min(times["bare"])) * 1e6


def folder_all(model: Predictor, images: list[Path], output: Path) -> None:
    """What `lit-infer images/` does after it has started."""
    folder.run(model, images, top_k=5, batch_size=DEFAULT_BATCH_SIZE, output=output)


if __name__ == "__main__":
    main()
