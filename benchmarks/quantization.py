"""What int8 gains and loses on a ResNet-18 that is trained for real: `python benchmarks/quantization.py`.

scikit-learn's handwritten digits, written as PNG files, are learnt from scratch at 64x64 in a few minutes on two cores.
The checkpoint is exported in float32 and in int8, calibrated on its training images, and both are scored on digits
that neither training nor calibration saw. The speed is that of the graph alone, in turns, by the same engine: two
threads with a session's core each (how a folder is predicted), and one session on two cores. Speed depends on the
image size and not on what was learnt, so the same weights are also measured at 224x224.
"""

import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image
from torchvision.transforms import v2

from lit_export import Options, export
from lit_export.qdq import needs_reduced_range
from lit_infer.bundle import GraphFile
from lit_infer.hardware import DEFAULT_BATCH_SIZE, cpu_model, usable_cpus
from lit_infer.manifest import Graph
from lit_infer.predictor import Predictor, open_predictor
from lit_trainer.callbacks import DeploymentFacts
from lit_trainer.data import ImageFolderDataModule
from lit_trainer.modules import ImageClassifier

SIDE, LARGE, EPOCHS = 64, 224, 12
ROUNDS, SECONDS = 10, 0.5
FASTER, DROP = 2.5, 0.005


def main() -> None:
    """Train, export, score, measure; print ratios against the targets."""
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        write_digits(here / "digits")
        started = time.perf_counter()
        checkpoint = train(here)
        print(f"{cpu_model()}, {usable_cpus()} cores, {'no ' * needs_reduced_range()}VNNI")
        print(f"ResNet-18 on digits at {SIDE}x{SIDE}, trained in {time.perf_counter() - started:.0f} s")
        small = make_bundle(checkpoint, here, SIDE)
        report_score(*small.values())
        report_speed(here / str(SIDE), small, SIDE)
        report_speed(here / str(LARGE), make_bundle(checkpoint, here, LARGE), LARGE)


def write_digits(folder: Path) -> None:
    """8x8 PNG files, a folder per class: 50 % train, 10 % val, 40 % test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    for place, index in enumerate(order):
        share = place / len(order)
        split = "train" if share < 0.5 else "val" if share < 0.6 else "test"
        path = folder / split / str(digits.target[index]) / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.round(digits.images[index] * (255 / 16)).astype(np.uint8)).save(path)


def train(here: Path) -> Path:
    """The best checkpoint of a short training."""
    pl.seed_everything(1, verbose=False)
    data = ImageFolderDataModule(str(here / "digits"), image_size=SIDE, resize=SIDE, batch_size=64, num_workers=0)
    # Of photographs half may be cut away and a mirror image is the same thing; of a digit neither.
    moved = v2.RandomAffine(degrees=10, translate=(0.08, 0.08))
    data.train_transform = v2.Compose([moved, *data.eval_transform.transforms])
    best = ModelCheckpoint(here, filename="digits", monitor="val_loss")
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[best, DeploymentFacts()],
        default_root_dir=here,
    )
    trainer.fit(ImageClassifier("resnet18", num_classes=10), datamodule=data)
    return Path(best.best_model_path)


def make_bundle(checkpoint: Path, here: Path, side: int) -> dict[str, Graph]:
    """float32 and int8, by precision; what does not pass its checks ends the benchmark."""
    spec = here / f"{side}.yaml"
    facts = {
        "task": "image-classification",
        "preprocess": [{"resize": {"size": side}}, {"center_crop": {"size": side}}],
        "normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        "labels": list("0123456789"),
    }
    spec.write_text(yaml.safe_dump(facts))
    options = Options(
        spec=spec,
        precisions=("fp32", "int8"),
        calibration=here / "digits" / "train",
        data=here / "digits" / "test" if side == SIDE else None,
        keep_anyway=True,
    )
    made = export(str(checkpoint), ["onnx"], out=here / str(side), options=options)
    assert not made.failed, made.failed
    return {graph.precision: graph for graph in made.manifest.graphs}


def report_score(fp32: Graph, int8: Graph) -> None:
    """Accuracy on held-out digits, and the size of the files."""
    assert fp32.score is not None
    assert int8.score is not None
    assert int8.quantization is not None
    images, kept = int8.quantization.calibration_images, len(int8.quantization.kept)
    print(f"calibrated on {images} training images, {kept} layers kept in float; scored on {fp32.score.images} others")
    drop = fp32.score.value - int8.score.value
    scores = f"eager {fp32.score.eager:.2%}   fp32 {fp32.score.value:.2%}   int8 {int8.score.value:.2%}"
    print(f"top-1   {scores}   drop {drop * 100:.2f} points (at most {DROP * 100:g}: {verdict(drop <= DROP)})")
    print(f"size    fp32 {(fp32.bytes or 0) / 1e6:.1f} MB   int8 {(int8.bytes or 0) / 1e6:.1f} MB")


def report_speed(folder: Path, graphs: dict[str, Graph], side: int) -> None:
    """Images per second of both, at both ways of using two cores."""
    print(f"{side}x{side}, batch {DEFAULT_BATCH_SIZE}, images/s")
    for sessions, threads in ((2, 1), (1, 2)):
        opened = {name: [opened_graph(folder, graph, threads)] * sessions for name, graph in graphs.items()}
        rates: dict[str, list[float]] = {name: [] for name in opened}
        for _ in range(ROUNDS):
            for name, predictors in opened.items():
                rates[name].append(rate(predictors, side))
        fp32, int8 = (statistics.median(rates[name]) for name in ("fp32", "int8"))
        met = verdict(int8 / fp32 >= FASTER)
        rates_found = f"fp32 {fp32:6.0f}   int8 {int8:6.0f}   {int8 / fp32:.2f} x (at least {FASTER}: {met})"
        print(f"  {sessions} at a time, on {threads} core(s) each   {rates_found}")


def verdict(met: bool) -> str:
    """A target's outcome, in a word."""
    return "met" if met else "MISSED"


def opened_graph(folder: Path, graph: Graph, threads: int) -> Predictor:
    """A graph of a bundle, on the CPU."""
    assert graph.file
    return open_predictor(GraphFile(folder / graph.file, manifest=None, listed=None), device="cpu", threads=threads)


def rate(predictors: list[Predictor], side: int) -> float:
    """Images per second of as many threads as there are predictors, started together."""
    images = np.random.default_rng(0).integers(0, 256, (DEFAULT_BATCH_SIZE, side, side, 3)).astype(np.uint8)
    together = threading.Barrier(len(predictors))

    def work(predictor: Predictor) -> float:
        predictor.run({"images": images})  # the first call allocates
        together.wait()
        started, calls = time.perf_counter(), 0
        while (seconds := time.perf_counter() - started) < SECONDS:
            predictor.run({"images": images})
            calls += 1
        return calls * DEFAULT_BATCH_SIZE / seconds

    with ThreadPoolExecutor(len(predictors)) as pool:
        return sum(pool.map(work, predictors))


if __name__ == "__main__":
    main()
