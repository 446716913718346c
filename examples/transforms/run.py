"""Train, export with the evaluation transform itself, predict: with the transforms of four libraries.

    python examples/transforms/run.py albumentations_opencv
    python examples/transforms/run.py torch_tensors
    python examples/transforms/run.py timm_transform
    uv run --with transformers python examples/transforms/run.py huggingface_processor

The export says "pixels proven against ... all equal", or which part of the transform differs.
"""

import os
import subprocess
import sys
from pathlib import Path

import lightning.pytorch as pl
from net import Digits, Net

from lit_trainer.data.digits import write_test_images

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent


def main(name: str, folder: Path) -> None:
    """Everything below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    images = write_test_images(folder / "images")
    trainer = pl.Trainer(max_epochs=1, accelerator="cpu", logger=False, default_root_dir=folder)
    module = Net()
    trainer.fit(module, Digits(name, folder / "images"))
    trainer.save_checkpoint(folder / "net.ckpt")
    (folder / "task.yaml").write_text(f"task: image-classification\nlabels: {[str(digit) for digit in range(10)]}\n")
    command("lit-export", "onnx", "-c", "net.ckpt", "--class", "net:Net", "--spec", "task.yaml", "--out", "bundle",
            "--transform", f"{name}:evaluation", "--images", "images", folder=folder)  # fmt: skip
    command("lit-infer", str(images[0].parent), "--model", "bundle", "--output", "predictions.jsonl", folder=folder)


def command(*line: str, folder: Path) -> None:
    """Show a command and run it; exit as it does, if it fails."""
    print("$", *line, flush=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([BIN / line[0], *line[1:]], cwd=folder, env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else Path("artifacts/transforms") / sys.argv[1])
