"""The main job, end to end, on real images: train, export, predict, measure. `make demo` runs this.

Every step is a command that you could type yourself, and is shown before it runs. Needs no account, no GPU and
no network.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

from lit_infer import bundle
from lit_trainer.data.digits import write_test_images

BIN = Path(sys.executable).parent
DEMO = Path("artifacts/demo")
CHECKPOINT = "local/digits/digits-cnn:best"
DATA = "lit_trainer.data:DigitsDataModule"  # whose validation transform the pixels are compared with


def main() -> None:
    """Run the steps; stop at the first that fails."""
    started = time.monotonic()
    headline("1/5  Train a small CNN on 1,437 handwritten digits, then test it on 360 held-out ones")
    command("lit-train fit --config configs/digits.yaml")
    tested = command(f"lit-train test --config configs/digits.yaml --ckpt_path {CHECKPOINT}")

    headline("2/5  Export the best checkpoint; each graph and every pixel is compared with training's")
    command(f"lit-export onnx --artifact {CHECKPOINT} --data-module {DATA}")
    command(f"lit-export torchscript --artifact {CHECKPOINT} --data-module {DATA}")
    model = bundle.default_model()

    headline("3/5  Predict the held-out digits, as PNG files in one folder per class")
    images = write_test_images(DEMO / "images")
    say(f"wrote {len(images)} images to {DEMO / 'images'}/")
    predicted = command(f"lit-infer {DEMO / 'images'}/ --output {DEMO / 'predictions.jsonl'}")
    compare(tested, predicted, len(images))

    headline("4/5  Measure latency and throughput on this machine")
    command("lit-bench")

    headline(f"5/5  Done in {time.monotonic() - started:.0f} s")
    say(f"""\
checkpoint   {CHECKPOINT}   (folder registry: artifacts/registry/)
bundle       {model}/   (model.onnx, model.pt, manifest.json, golden.npz, pixels.npz)
predictions  {DEMO / "predictions.jsonl"}

Try next:
  lit-infer your-digit.png                       any image file, any size
  lit-infer {DEMO}/images/7 --top-k 3 --json | head -2
  lit-bench --batch-sizes 1,8,64
  lit-export all --checkpoint your.ckpt --class your_package.model:YourModule --spec spec.yaml
The commands are in .venv/bin/. Put them on your path with:  . .venv/bin/activate""")


def headline(text: str) -> None:
    """Say what comes."""
    print(f"\n=== {text}\n", flush=True)


def say(text: str) -> None:
    """Print at once, in order with what the commands print."""
    print(text, flush=True)


def command(line: str) -> str:
    """Show a command, run it, show what it prints, and give that back. Exits as the command does, if it fails."""
    say(f"$ {line}")
    name, *arguments = line.split()
    output = []
    with subprocess.Popen(
        [BIN / name, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for text in process.stdout or ():
            print(text, end="", flush=True)
            output.append(text)
    if process.returncode != 0:
        sys.exit(process.returncode)
    say("")
    return "".join(output)


def compare(tested: str, predicted: str, count: int) -> None:
    """The graph's accuracy on files must be the eager module's on tensors, to the last image."""
    eager = round(float(found(r"test_acc +│ +([\d.]+)", tested)) * count)
    graph = int(found(r"accuracy [\d.]+ \((\d+) of", predicted))
    if eager != graph:
        sys.exit(f"the graph got {graph} of {count} right, the PyTorch module {eager}: they are not the same model")
    say(f"The same as PyTorch: both got {graph} of {count} right.")


def found(pattern: str, text: str) -> str:
    """The first group of a pattern that must be there."""
    match = re.search(pattern, text)
    if match is None:
        sys.exit(f"expected {pattern!r} in the command's output")
    return match.group(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted")
