"""Wall time of `lit-export onnx` for ResNet-18, against what no exporter can avoid: imports, load, torch.onnx.export.

Whole processes in turns, so that a noisy machine hurts both alike. The aim is a ratio of at most 1.3.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
_TRAIN = """
import lightning.pytorch as pl, torch, sys
from lit_trainer.modules import ImageClassifier
module = ImageClassifier(architecture="resnet18", num_classes=1000)
trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=sys.argv[1])
trainer.strategy.connect(module)
trainer.save_checkpoint(sys.argv[1] + "/resnet18.ckpt")
"""
_BARE = """
import sys, warnings
warnings.simplefilter("ignore")
import lightning.pytorch, torch
from lit_trainer.modules import ImageClassifier
module = ImageClassifier.load_from_checkpoint(sys.argv[1], map_location="cpu", weights_only=True).eval()
options = {"dynamic_shapes": ({0: "batch"},), "opset_version": 20, "external_data": False, "verbose": False}
torch.onnx.export(module, (torch.zeros(2, 3, 224, 224),), sys.argv[2], **options)
"""
_SPEC = """\
task: image-classification
preprocess: [{resize: {size: 256}}, {center_crop: {size: 224}}]
normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
"""


def main() -> None:
    """Print the median of each and their ratio."""
    with tempfile.TemporaryDirectory(prefix="lit-export-time-") as name:
        folder = Path(name)
        _run(sys.executable, "-c", _TRAIN, name)
        (folder / "spec.yaml").write_text(_SPEC)
        checkpoint, out = str(folder / "resnet18.ckpt"), str(folder / "bare.onnx")
        export = [str(Path(sys.executable).with_name("lit-export")), "onnx", "--checkpoint", checkpoint, "--quiet"]
        export += ["--class", "lit_trainer.modules:ImageClassifier", "--spec", str(folder / "spec.yaml")]
        bare_times, ours_times = [], []
        for place in range(ROUNDS):
            bare_times.append(_run(sys.executable, "-c", _BARE, checkpoint, out))
            ours_times.append(_run(*export, "--out", str(folder / f"bundle-{place}")))
    bare, ours = statistics.median(bare_times), statistics.median(ours_times)
    print("| | seconds |\n|---|---|")
    print(f"| import torch and lightning, load, torch.onnx.export | {bare:.1f} |")
    print(f"| lit-export onnx: the same, and proven, timed, described | {ours:.1f} |")
    print(f"| ratio (at most 1.3) | {ours / bare:.2f} |")


def _run(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
