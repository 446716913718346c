"""What a graph is compared on: batches of noise, and image files with the eager module's answers for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_export.proof.reference import training_pixels
from lit_export.tasks import Target, answers
from lit_export.tasks.images import image_noise
from lit_infer import folder
from lit_infer.tensors import Arrays

BATCHES = (1, 2, 3, 8)

_ORIENTATION, _ORIENTATIONS = 0x0112, (6, 3)  # the EXIF tag; a quarter and half a turn


@dataclass(frozen=True)
class Sample:
    """Inputs of one batch and the eager module's answers for them; `files` if the inputs are image files."""

    inputs: Arrays
    answers: Arrays
    files: tuple[Path, ...] = ()


def samples(target: Target, *, images: Path | None, scratch: Path) -> list[Sample]:
    """One sample per batch size, and one of image files: those below `images`, else noise written to `scratch`."""
    generator = np.random.default_rng(0)
    batches = BATCHES if target.batch is None else (target.batch,) * 2
    made = [target.noise(generator, batch) for batch in batches]
    found = [Sample(inputs, answers(target.module, inputs)) for inputs in made]
    if not target.takes_images:
        return found
    paths = _given(images) if images else _noise_files(target, scratch)
    paths = paths[: target.batch] if target.batch else paths
    pixels = np.stack([training_pixels(path, target.facts) for path in paths])
    return [*found, Sample((pixels,), answers(target.module, (pixels,)), tuple(paths))]


def _given(images: Path) -> list[Path]:
    return list(folder.list_images([images]))[: max(BATCHES) * 4]


def _noise_files(target: Target, scratch: Path) -> list[Path]:
    """Images of odd sizes, as PNG and JPEG; JPEGs have an orientation, to be applied or ignored as the steps say."""
    height, width = target.facts.height_width
    generator = np.random.default_rng(1)
    sizes = [
        (height, width),
        (2 * height + 1, width + 7),
        (height + 3, 2 * width + 5),
        (height // 2 + 1, width // 2 + 1),
    ]
    paths = []
    for index, size in enumerate(sizes * (-(-(target.batch or 1) // len(sizes)))):
        path = scratch / f"noise-{index}.{'png' if index % 2 else 'jpg'}"
        image = Image.fromarray(image_noise(generator, 1, (*size, 3))[0])
        exif = image.getexif()
        if path.suffix == ".jpg":
            exif[_ORIENTATION] = _ORIENTATIONS[index // 2 % len(_ORIENTATIONS)]
        image.save(path, exif=exif)
        paths.append(path)
    return paths


def golden(target: Target, expected: Sequence[Sample]) -> dict[str, NDArray[Any]]:
    """The largest of the noise samples and the eager answers for it, by tensor name."""
    sample = max((one for one in expected if not one.files), key=lambda one: len(one.inputs[0]))
    names = [tensor.name for tensor in (*target.inputs, *target.outputs)]
    return dict(zip(names, (*sample.inputs, *sample.answers), strict=True))
