"""What a graph is compared on: batches of noise, and image files with the eager module's answers for them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export.proof import corpus, varied
from lit_export.proof.reference import training_pixels
from lit_export.tasks import Target, answers
from lit_export.tasks.target import NotFiniteError
from lit_infer import folder, progress
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import ArtifactError, LitError
from lit_infer.folder import image_rows
from lit_infer.images import suffixes
from lit_infer.tensors import Arrays

BATCHES = (1, 2, 3, 8)
_REAL = (8,) * 6
"""More batches where inputs are real: about 64 rows, of which noise would show nothing more."""

_ANSWERS = 16_000_000
"""Numbers in the answers for one batch of images."""
_ELEMENTS = 20_000_000
"""Numbers in a batch that is tried for its size."""


@dataclass(frozen=True)
class Sample:
    """Inputs of one batch and the eager module's answers for them; `files` if the inputs are image files, by name where
    an item has several."""

    inputs: Arrays
    answers: Arrays
    files: tuple[Path | Mapping[str, Path], ...] = ()
    size: int | None = None
    """Rows in the batch, where that is not the first side of the first input."""

    @property
    def rows(self) -> int:
        """How many rows the batch has."""
        return len(self.inputs[0]) if self.size is None else self.size


def samples(target: Target, *, images: Path | None, scratch: Path) -> list[Sample]:
    """One sample per batch size, and one of image files: those below `images`, else noise written to `scratch`."""
    generator = np.random.default_rng(0)
    more = _REAL if target.inputs_kind in ("data", "file") else ()
    of_one_size = 2 if target.takes_images else 4
    most = _most_rows(target)
    batches = (
        (*(one for one in BATCHES if one <= most), *more)
        if target.batch is None
        else (target.batch,) * (of_one_size + len(more))
    )
    made = [target.noise(generator, batch) for batch in batches]
    found = list(_answered(target, batches, made))
    if not target.takes_images:
        varied.check_inputs(target, made)
        return found
    items = _given(target, images) if images else _noise_files(target, scratch)
    items = items[: target.batch] if target.batch else items[:most]
    pixels = tuple(
        np.stack([training_pixels(one, target.facts) for one in of_input]) for of_input in zip(*items, strict=True)
    )
    names = target.facts.images
    files = [dict(zip(names, one, strict=True)) if names else one[0] for one in items]
    return [*found, Sample(pixels, answers(target.module, pixels), tuple(files))]


def _most_rows(target: Target) -> int:
    """Of one batch, where answers are as large as pictures: all of them are held at once, several times."""
    row = sum(math.prod(side for side in one.shape[1:] if isinstance(side, int)) for one in target.outputs)
    return max(2, _ANSWERS // max(1, row)) if target.takes_images else max(BATCHES)


def more(target: Target, attempt: int) -> list[Sample]:
    """Two small batches of other values: a conditional may yet go the other way."""
    generator = np.random.default_rng((1, attempt))
    batches = (1, 2) if target.batch is None else (target.batch,)
    return list(_answered(target, batches, [target.noise(generator, batch) for batch in batches]))


def beyond(target: Target, sizes: Mapping[str, int]) -> Sample | None:
    """A batch of these sizes; None where the module does not take them, or they are too much to try."""
    inputs = target.sized(np.random.default_rng(2), sizes)
    if sum(array.size for array in inputs) > _ELEMENTS:
        return None
    try:
        return Sample(inputs, answers(target.module, inputs, kind=target.inputs_kind), size=sizes.get(BATCH))
    except LitError:
        return None


def _answered(target: Target, batches: Sequence[int], made: Sequence[Arrays]) -> Iterator[Sample]:
    """The module's answers. A batch of one row may have none, where a statistic over the batch is taken."""
    alone_fails = False
    for batch, inputs in zip(batches, made, strict=True):
        try:
            yield Sample(inputs, answers(target.module, inputs, kind=target.inputs_kind), size=batch)
        except NotFiniteError:
            if batch > 1 or target.batch is not None:
                raise
            alone_fails = True
        except ArtifactError as error:
            raise ArtifactError(f"{error}{_all_short(target, inputs, made)}") from None
    if alone_fails:
        progress.note("warning: the module answers a batch of one row with NaN or infinity, but not larger ones")


def _all_short(target: Target, inputs: Arrays, made: Sequence[Arrays]) -> str:
    """Of a batch that the module does not take: whether none of its rows is as long as others are, as a number says."""
    for tensor, array, *others in zip(target.inputs, inputs, *made, strict=True):
        if not _counts(array):
            continue
        here, longest = int(array.max()), max(int(other.max()) for other in others)
        if here < longest:
            return (
                f".\nIn this batch no {tensor.name} is above {here}, in others some are {longest}: does the module cut "
                "to the longest row of a batch, and not all of its inputs? If it is always the same in deployment, say "
                f"so: --input {tensor.name}=:{tensor.dtype}:{longest}..{longest}. Else cut all of them in an --adapter"
            )
    return ""


def _counts(array: NDArray[Any]) -> bool:
    """Whether it is a whole number for each row."""
    return array.ndim == 1 and array.dtype.kind in "iu" and array.size > 0


def _given(target: Target, source: Path) -> Sequence[tuple[Path, ...]]:
    """The files of each item."""
    if target.facts.images:
        return list(islice(image_rows.paths(source, target.facts.images), max(BATCHES) * 4))
    found = folder.list_images([source], suffixes(target.facts.preprocess))
    return [(path,) for path in islice(found, max(BATCHES) * 4)]


def _noise_files(target: Target, scratch: Path) -> list[tuple[Path, ...]]:
    """Images of odd sizes; several where the batch is fixed. Of several for an item each is another one."""
    paths = corpus.plain_files(target.facts, scratch, 4 * -(-(target.batch or 1) // 4))
    count = max(1, len(target.facts.images))
    return [tuple(paths[(place + n) % len(paths)] for n in range(count)) for place in range(len(paths))]


def golden(target: Target, expected: Sequence[Sample]) -> dict[str, NDArray[Any]]:
    """The largest of the noise samples and the eager answers for it, by tensor name."""
    sample = max((one for one in expected if not one.files), key=lambda one: one.rows)
    names = [tensor.name for tensor in (*target.inputs, *target.outputs)]
    return dict(zip(names, (*sample.inputs, *sample.answers), strict=True))
