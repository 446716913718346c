"""Evaluation transforms as public projects write them: what is read off, and whether the pixels are theirs.

    python benchmarks/transforms.py [--transformers FOLDER] > benchmarks/transforms.md

Each transform goes the way of `lit-export --transform`: its steps are read off (or typed, where it is a function by
hand), and the runtime's pixels are compared with its own by the export's own comparison, on 24 files of odd sizes and
modes. `--transformers` names a folder with Hugging Face's package, which is not in the lock file.
"""

import argparse
import importlib.util
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import torch
from lightning.pytorch import LightningModule

from lit_export.front.transform import TrainingTransform
from lit_export.options import Options
from lit_export.proof import pixels
from lit_export.spec import with_transform
from lit_export.tasks import TASKS
from lit_infer.errors import GateError, LitError, UsageError
from lit_infer.images.from_transform import read
from lit_infer.manifest import DeploymentFacts

sys.path.insert(0, str(Path(__file__).parent / "transforms"))


@dataclass(frozen=True)
class Row:
    """What became of one transform."""

    library: str
    name: str
    kind: str
    facts: str
    """`read off`, or why they were typed."""
    result: str
    is_equal: bool


class Means(LightningModule):
    """The module behind the pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Each channel's mean."""
        return images.mean((2, 3))


def cases() -> Iterator[tuple[str, Any]]:
    """Library and case."""
    import of_albumentations
    import of_huggingface
    import of_others
    import of_timm
    import of_torchvision

    for library, module in (
        ("torchvision", of_torchvision),
        ("albumentations", of_albumentations),
        ("timm", of_timm),
        ("Hugging Face", of_huggingface),
        ("others", of_others),
    ):
        for case in module.CASES:
            yield library, case


def row(library: str, case: Any) -> Row:
    """Read it off or take what is typed, and compare."""
    transform, facts = case.make(), "read off"
    named = TrainingTransform(case.name, transform)
    stated: dict[str, Any] = {"task": "image-embedding"}
    if case.spec is not None:
        stated |= case.spec
        facts = f"typed: {_refused(transform)}"
    elif case.read is not None:
        stated["preprocess"] = [{"read": case.read}]
    try:
        found = with_transform(msgspec.convert(stated, DeploymentFacts), named)
        with tempfile.TemporaryDirectory() as scratch:
            target = TASKS[found.task].target(Means(), found, Options())
            proof = pixels.proven(target, named, Options(), Path(scratch))
    except (GateError, UsageError, LitError) as error:
        return Row(library, case.name, case.kind, facts, f"**not equal**: {' '.join(str(error).split())}", False)
    return Row(library, case.name, case.kind, facts, f"equal on {proof.images} images", True)


def _refused(transform: Any) -> str:
    """Why it has to be typed."""
    try:
        read(transform)
    except ValueError as error:
        return str(error).partition(":")[0]
    return "it could have been read off"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transformers", type=Path)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if arguments.transformers is not None:
        sys.path.append(str(arguments.transformers))
    if importlib.util.find_spec("transformers") is None:
        needed = "transformers huggingface-hub regex safetensors"
        sys.exit(f"this needs transformers: uv pip install --no-deps --target F {needed}, then --transformers F")
    warnings.simplefilter("ignore")
    rows = []
    for library, case in cases():
        if arguments.only in f"{library} {case.name}":
            rows.append(row(library, case))
            print(f"{library}, {case.name}: {rows[-1].facts}; {rows[-1].result}", file=sys.stderr, flush=True)
    print(_table(rows))


_USED = ("torch", "torchvision", "pillow", "opencv-python-headless", "albumentations", "timm", "kornia", "monai")


def _table(rows: list[Row]) -> str:
    used = ", ".join(
        f"{name} {version(name)}"
        for name in (
            "torch",
            "torchvision",
            "pillow",
            "opencv-python-headless",
            "albumentations",
            "timm",
            "kornia",
            "monai",
        )
    )
    equal = sum(one.is_equal for one in rows)
    read_off = sum(one.facts == "read off" and one.is_equal for one in rows)
    lines = [
        "# Evaluation transforms",
        "",
        f"{len(rows)} evaluation transforms, each in its library's own words: **{equal} equal**, {read_off} of them "
        f"read off and {equal - read_off} typed as a spec. Made by `benchmarks/transforms.py`, with {used}.",
        "",
        "Equal: on image files of odd sizes and modes (and 16-bit, many-band and array files where a transform is "
        "for them), what the module is given is what the transform makes, up to the rounding of float32.",
        "",
        "| library | transform | kind | facts | pixels |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {one.library} | {one.name} | {one.kind} | {one.facts} | {one.result} |" for one in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
