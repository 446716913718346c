"""Time and memory of `lit-export onnx` for a large checkpoint, against bare torch.load and torch.onnx.export.

    python benchmarks/large_checkpoint.py            # 1.2 GB: about 10 minutes on two cores, and 6 GB of memory
    python benchmarks/large_checkpoint.py 300        # MB

Two files: one of weights only, and one with Adam's state, of which a third is weights. Whole processes in turns, so
that a noisy machine hurts both alike. The aims: at most 1.5 times the time; at most 2.2 times the file in memory, above
what a process takes that has only imported the packages.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3
_WIDTH = 4096  # a linear layer of 67 MB
_MODULE = '''
import lightning.pytorch as pl
import torch
from torch import nn


class Wide(pl.LightningModule):
    """Layers of 67 MB each."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(4096, 4096), nn.ReLU())))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        return self(batch[0]).pow(2).mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-5)
'''
_SAVE = """
import sys
import lightning.pytorch as pl, torch
from wide import Wide
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(2, 4096)), batch_size=2)
off = dict.fromkeys(("logger", "enable_progress_bar", "enable_checkpointing", "enable_model_summary"), False)
trainer = pl.Trainer(accelerator="cpu", max_steps=1, **off)
trainer.fit(Wide(int(sys.argv[2])), data)
trainer.save_checkpoint(sys.argv[1], weights_only=sys.argv[3] == "weights")
"""
_IMPORTS = "import lightning.pytorch, torch, torch.onnx, onnx, onnxruntime, onnxscript"
_BARE = """
import sys, warnings
warnings.simplefilter("ignore")
import lightning.pytorch, torch
from wide import Wide
module = Wide.load_from_checkpoint(sys.argv[1], map_location="cpu", weights_only=True).eval()
options = {"dynamic_shapes": ({0: "batch"},), "opset_version": 20, "external_data": False, "verbose": False}
torch.onnx.export(module, (torch.zeros(2, 4096),), sys.argv[2], **options)
"""


def main() -> None:
    """Print a row for each file."""
    size = int(sys.argv[1]) if sys.argv[1:] else 1200
    print("| file | MB | bare s | lit-export s | ratio | bare MB | lit-export MB | memory / file |")
    print("|---|---|---|---|---|---|---|---|")
    for kind, share in (("weights", 1), ("with Adam's state", 3)):
        with tempfile.TemporaryDirectory(prefix="lit-large-") as name:
            print(_row(Path(name), kind, depth=max(1, round(size * 1e6 / share / (4 * _WIDTH**2)))), flush=True)


def _row(folder: Path, kind: str, depth: int) -> str:
    (folder / "wide.py").write_text(_MODULE)
    checkpoint = folder / "wide.ckpt"
    _run(folder, sys.executable, "-c", _SAVE, str(checkpoint), str(depth), kind)
    _, imports = _run(folder, sys.executable, "-c", _IMPORTS)
    export = [str(Path(sys.executable).with_name("lit-export")), "onnx", "--checkpoint", str(checkpoint), "--quiet"]
    export += ["--class", "wide:Wide", "--input", "4096"]
    bare, ours = [], []
    for index in range(ROUNDS):
        bare.append(_run(folder, sys.executable, "-c", _BARE, str(checkpoint), str(folder / "bare.onnx")))
        ours.append(_run(folder, *export, "--out", str(folder / f"bundle-{index}")))
    size = checkpoint.stat().st_size / 1e6
    (bare_s, bare_mb), (ours_s, ours_mb) = (map(statistics.median, zip(*found, strict=True)) for found in (bare, ours))
    above = [mb - imports for mb in (bare_mb, ours_mb)]
    return (
        f"| {kind} | {size:.0f} | {bare_s:.1f} | {ours_s:.1f} | {ours_s / bare_s:.2f} "
        f"| {above[0]:.0f} | {above[1]:.0f} | {above[1] / size:.2f} |"
    )


def _run(folder: Path, *command: str) -> tuple[float, float]:
    """The seconds that a process took, and its most memory in MB."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    started = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, number, str(folder / "said"), os.O_WRONLY | os.O_CREAT, 0o600) for number in (1, 2)]
    process = os.posix_spawn(command[0], command, environment, file_actions=quiet)
    _, status, used = os.wait4(process, 0)
    if status != 0:
        sys.exit(f"{command[:4]} ended with {os.waitstatus_to_exitcode(status)}: {(folder / 'said').read_text()}")
    return time.perf_counter() - started, used.ru_maxrss / 1e3


if __name__ == "__main__":
    main()
