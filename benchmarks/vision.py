"""Which vision modules of other projects are exported in the task that a user would want: proven, or why not.

    uv pip install --no-deps --target F transformers huggingface-hub regex safetensors segmentation-models-pytorch timm
    uv pip install --no-deps --target F anomalib torchgeo kornia kornia_rs FrEIA omegaconf antlr4-python3-runtime \\
        lightly einops pandas python-dateutil geopandas shapely rasterio affine attrs pyproj rtree scikit-image \\
        opencv-python-headless tifffile imageio lazy-loader pyogrio certifi six python-dotenv open-clip-torch ftfy \\
        wcwidth
    PYTHONPATH=F python benchmarks/vision.py                       # about an hour on two cores
    PYTHONPATH=F python benchmarks/vision.py deeplab yolos         # the rows whose names have one of these in them

Their modules are in `vision_modules.py`.

Weights are random, with batch-norm statistics as after training; the last layers of detectors are scaled up until they
find boxes, without which nothing would be compared. Each module is wrapped in a LightningModule and goes through
`lit_export.export`, which compares the final file, opened by the runtime, with the eager module. Then the bundle
predicts three JPEGs of odd sizes, one by one and together, and the answers have to be the same.
"""

import math
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import msgspec
import numpy as np
import torch
from PIL import Image
from torch import nn

import lit_infer
from lit_export import Options, export
from lit_export.tasks.images import image_noise
from lit_infer.errors import LitError

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.vision_modules import Row, rows

_NORMALIZE = "normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}"


class Wrapped(pl.LightningModule):
    """As a user wraps a library's network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Any) -> Any:
        """Whatever it answers."""
        return self.network(images)


class InList(Wrapped):
    """torchvision's detectors take a list of images."""

    def forward(self, images: Any) -> Any:
        """A dict for each image."""
        return self.network(list(images))


def lively(network: nn.Module, row: Row) -> nn.Module:
    """Statistics and weights as after training on something, so that answers vary with the image."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if 0 < float(parameter.abs().max()) < 1e-3:
                parameter.fill_(0.1)
            if any(part in name for part in row.loud):
                if parameter.ndim > 1:
                    parameter.normal_(std=4 / parameter[0].numel() ** 0.5, generator=generator)
                else:
                    parameter.fill_(row.bias)
                if parameter.ndim == 1 and row.background and len(parameter) % row.background == 0:
                    parameter.view(-1, row.background)[:, 0] = 8
        for part in network.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
                part.running_mean.normal_(std=0.2, generator=generator)
                part.running_var.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def photos(folder: Path) -> list[Path]:
    """Three pictures of odd sizes."""
    folder.mkdir()
    made = []
    for number, (width, height) in enumerate(((211, 160), (97, 143), (333, 257))):
        values = image_noise(np.random.default_rng(number), 1, (height, width, 3))[0]
        made.append(folder / f"{number}.jpg")
        Image.fromarray(values.astype(np.uint8)).save(made[-1])
    return made


def main() -> None:
    """A row as it comes."""
    print("| module | task | onnx | max diff | seconds | said |")
    print("|---|---|---|---|---|---|")
    counts: dict[str, int] = {}
    for row in rows():
        if sys.argv[1:] and not any(part.lower() in row.name.lower() for part in sys.argv[1:]):
            continue
        started = time.perf_counter()
        word, difference, said = outcome(row)
        counts[word] = counts.get(word, 0) + 1
        seconds = time.perf_counter() - started
        print(f"| {row.name} | {row.task} | {word} | {difference} | {seconds:.0f} | {said} |", flush=True)
    print("\n" + ", ".join(f"{count} {word}" for word, count in sorted(counts.items())))


def outcome(row: Row) -> tuple[str, str, str]:
    """`proven`, `compared`, `refused` or `WRONG`; the largest difference; and what was said."""
    folder = Path(tempfile.mkdtemp(prefix="lit-vision-"))
    torch.manual_seed(0)
    try:
        module = (InList if row.takes_list else Wrapped)(lively(row.make(), row))
        spec = [f"task: {row.task}", f"preprocess: [{{resize: {{size: [{row.size}, {row.size}]}}}}]"]
        spec += [_NORMALIZE] * row.normalize + [f"answers: {row.answers}"] * bool(row.answers)
        (folder / "spec.yaml").write_text("\n".join(spec) + "\n")
        pictures = photos(folder / "photos")
        options = Options(spec=folder / "spec.yaml", publish=False, images=folder / "photos")
        bundle = export(module, ["onnx"], out=folder / "bundle", options=options)
        graph = bundle.attempted[0]
        if graph.parity is None:
            return "refused", "", str(graph.reason)
        wrong = _apart(folder / "bundle", pictures)
        word = "WRONG" if wrong else "proven" if graph.parity.agreement is not None else "compared"
        return word, f"{graph.parity.max_abs:.1e}", wrong
    except LitError as error:
        return "refused", "", " ".join(str(error).split())
    except Exception as error:
        return "FAILED", "", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _apart(bundle: Path, pictures: list[Path]) -> str:
    """What is wrong with the predictions of pictures, which must not depend on their company; empty for nothing."""
    with lit_infer.load(bundle) as model:
        together = model.predict(pictures)
        alone = [model.predict([picture])[0] for picture in pictures]
    errors = [one.error for one in (*together, *alone) if one.error]
    if errors:
        return errors[0]
    apart = sum(not _alike(one.answer, other.answer) for one, other in zip(together, alone, strict=True))
    return f"{apart} of {len(pictures)} pictures are answered otherwise alone" if apart else ""


def _alike(one: Any, other: Any) -> bool:
    """Equal but for the rounding of another batch size; of a mask or a map nearly all."""
    if isinstance(one, msgspec.Struct):
        fields = one.__struct_fields__
        return type(one) is type(other) and all(_alike(getattr(one, name), getattr(other, name)) for name in fields)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and float(np.isclose(one, other, rtol=1e-2, atol=1e-3).mean()) > 0.999
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-2, abs_tol=1e-2)
    return bool(one == other)


if __name__ == "__main__":
    main()
