"""Task `image-to-image`: the picture that a module makes of an image, from 0 to 1, or its map of values; and PSNR."""

from collections.abc import Sequence
from dataclasses import replace as replaced
from functools import partial
from typing import Any, get_args

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_export import labelled
from lit_export.chosen import Role
from lit_export.tasks.images import MOST, ImageModule, image_target
from lit_export.tasks.main_output import MainOutput, main_output
from lit_export.tasks.spec import ExportTask, Scoring
from lit_infer import manifest
from lit_infer.errors import GateError, UsageError
from lit_infer.images.resizing import Letterbox
from lit_infer.images.values import Normalize, Stretch
from lit_infer.manifest import DeploymentFacts, Resize
from lit_infer.tasks import Reading
from lit_infer.tasks.image_to_image import TASK as RUNTIME
from lit_infer.tasks.image_to_image import MadePicture, Range, is_picture
from lit_infer.tensors import Arrays

PICTURES = (
    "reconstruction",
    "predicted_depth",
    "sample",
    "reconstructed",
    "recon",
    "recon_x",
    "x_hat",
    "output",
    "out",
)
_ENDS: dict[Range, tuple[float, float]] = {"0..1": (0, 1), "-1..1": (-1, 1), "0..255": (0, 255)}
_BEYOND = 2
"""How many times its range a module may go beyond it for noise."""
_MOST_DB = 100.0
"""The PSNR of equal pictures, which is infinite."""
_SSIM_SIDE = 11
"""Pixels of SSIM's window."""


class PictureModule(ImageModule):
    """Pictures float32 [batch, channels, height, width], 0 black and 1 white; or values as the module gives them.

    Nothing is cut off in the graph. What the module may answer: [batch, channels, h, w] or [batch, h, w], of a whole
    multiple or fraction of its input's size; alone, or among other outputs.
    """

    output = "image"
    preferred = PICTURES
    role = "image"
    range: Range = "values"

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__(module, facts)
        self.most = MOST[facts.pixel_dtype]
        self.size = facts.answers.get("size")

    def answer(self, images: Tensor) -> MainOutput:
        """The output that is a picture for each image; one without a side for channels gets it."""
        output = self.called(images)
        fits, wanted = partial(is_map, batch=len(images)), self.chosen.get(self.role)
        found = main_output(output, self.preferred, role=self.role, wanted=wanted, fits=fits)
        tensor = found.tensor
        return replaced(found, tensor=tensor[:, None] if tensor.ndim == 3 else tensor)

    @property
    def form(self) -> Sequence[str]:
        """What its numbers were taken for."""
        return (self.range,)

    def forward(self, images: Tensor) -> Tensor:
        """The picture, in whatever range the module has it, made 0 to 1."""
        made = self.scores(images)
        if self.range == "-1..1":
            return made * 0.5 + 0.5
        if self.range == "0..255":
            return made / 255
        if self.range == "normalized":
            return (made * self.std + self.mean) / (self.factor * self.most)
        return made

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """How much larger pictures are than images, how large they become, and what their numbers mean."""
        if scores.ndim != 4 or 0 in scores.shape:
            raise GateError(
                "a module of this task answers [batch, channels, height, width] for a batch of images; this one "
                f"{list(scores.shape)}"
            )
        factor = _factor((scores.shape[2], scores.shape[3]), facts.height_width)
        resizes = any(isinstance(step.value, Resize | Letterbox) for step in facts.preprocess)
        self.size = self.size or ("original" if resizes or factor < 1 else "scaled")
        self.range, why = self._range(scores, facts)
        others = [one for one in get_args(Range) if one != self.range]
        return (
            f"{_how_large(factor, self.size)}{'' if facts.answers.get('size') else ' (answers: size)'}",
            f"its values are taken for {self.range}, {why}. Otherwise: answers: {{range: {' | '.join(others)}}}",
        )

    def _range(self, scores: Tensor, facts: DeploymentFacts) -> tuple[Range, str]:
        channels, stated = scores.shape[1], facts.answers.get("range")
        found: tuple[Range, str]
        if stated is not None:
            found = stated, "as was said"
        elif self.ends_in_sigmoid:
            found = "0..1", "since it ends in a sigmoid"
        elif self.ends_in_tanh:
            found = "-1..1", "since it ends in a tanh"
        elif not is_picture(channels):
            found = "values", f"since no picture has {channels} channels"
        elif channels != facts.channels:
            found = "values", f"since it makes {channels} of {facts.channels} channels"
        else:
            found = self._as_input(scores, facts)
        if found[0] != "values" and not is_picture(channels):
            raise UsageError(f"a picture has 1, 3 or 4 channels, and the module answers {channels}: range: values")
        if found[0] == "normalized" and (facts.normalize is None or len(facts.normalize.mean) not in (1, channels)):
            raise UsageError("answers: range: normalized needs a normalize with a mean for each channel of the output")
        return found

    def _as_input(self, scores: Tensor, facts: DeploymentFacts) -> tuple[Range, str]:
        """What is like the input where nothing else says more, unless the module goes far beyond it."""
        low, high = float(scores.min()), float(scores.max())
        options = "Say which in --spec: answers: {range: 0..1 | -1..1 | 0..255 | normalized | values}"
        if any(isinstance(step.value, Normalize | Stretch) for step in facts.preprocess):
            raise UsageError(
                f"images are normalised before the graph: what the module's values mean is open. {options}"
            )
        if facts.normalize is not None:
            name: Range = "normalized"
            white = self.factor * self.most
            least, most = float(((0 - self.mean) / self.std).min()), float(((white - self.mean) / self.std).max())
        else:
            name = "0..1" if self.factor * self.most == 1 else "0..255"
            least, most = _ENDS[name]
        room = _BEYOND * (most - least)
        if low < least - room or high > most + room:
            raise UsageError(
                f"the module answers from {low:.3g} to {high:.3g} for noise, and its input is from {least:.3g} to "
                f"{most:.3g}: what its values mean is open. {options}"
            )
        return name, f"as its input is (noise gave {low:.3g} to {high:.3g})"

    def check(self, answer: NDArray[Any]) -> None:
        """Nothing: shapes were looked at."""

    def facts_found(self, facts: DeploymentFacts, example: Arrays) -> DeploymentFacts:
        """With the range and the size."""
        del example
        return replace(facts, answers={**facts.answers, "range": self.range, "size": self.size})

    def outputs(
        self, found: Arrays, batch: int | str, sides: tuple[int | str, int | str]
    ) -> tuple[manifest.Tensor, ...]:
        """The picture."""
        shape = found[0].shape
        named = [side if isinstance(side, str) else length for side, length in zip(sides, shape[2:], strict=True)]
        return (manifest.Tensor(name=self.output, dtype="float32", shape=(batch, shape[1], *named)),)


def is_map(tensor: Tensor, *, batch: int) -> int:
    """How much a tensor looks like a picture for each image: 2 with a side for channels, 1 without, 0 not at all."""
    if not tensor.is_floating_point() or tensor.ndim not in (3, 4) or len(tensor) != batch or 1 in tensor.shape[-2:]:
        return 0
    return tensor.ndim - 2


def _factor(made: tuple[int, int], size: tuple[int, int]) -> float:
    """Raise UsageError for pictures whose place in the image is not known."""
    for one, other in ((made, size), (size, made)):
        if all(a % b == 0 and a // b == one[0] // other[0] for a, b in zip(one, other, strict=True)):
            return made[0] / size[0]
    raise UsageError(
        f"the module answers {made[0]} x {made[1]} for images of {size[0]} x {size[1]}, no whole multiple or fraction: "
        "where its pixels belong is not known. Resize or pad them as your evaluation does, in an --adapter PKG.MOD:WRAP"
    )


def _how_large(factor: float, size: str) -> str:
    times = "as large as" if factor == 1 else f"{factor:g} times the size of"
    if size == "original":
        return f"the module's pictures are {times} its input, and are fitted back to the size of the image as it was"
    became = "the size" if factor == 1 else f"{factor:g} times the sides"
    return f"the module's pictures are {times} its input: an image's has {became} of the image as it was"


def _compared(answer: MadePicture, truth: NDArray[Any], _: Reading) -> NDArray[np.float64]:
    """PSNR in dB and SSIM of one picture, float64 [1, 2]; SSIM is NaN for what is smaller than its window."""
    import torch
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    made, true = _shares(answer.image), _shares(truth)
    true = true.repeat(made.shape[2], 2) if true.shape[2] == 1 else true
    if made.shape != true.shape:
        found, wanted = ("{1} x {0} with {2} channels".format(*one.shape) for one in (made, true))
        raise UsageError(
            f"a picture is {found}, and its target {wanted}: they must match. Pictures of the size of the image or of "
            "the module's factor times it: answers: {size: original | scaled}"
        )
    between = float(np.ptp(true)) or 1.0 if answer.image.dtype == np.float32 else 1.0
    one, other = (torch.from_numpy(array.transpose(2, 0, 1)[None].copy()) for array in (made, true))
    psnr = min(_MOST_DB, float(peak_signal_noise_ratio(one, other, data_range=between)))
    large = min(made.shape[:2]) >= _SSIM_SIDE
    ssim = float(structural_similarity_index_measure(one, other, data_range=between)) if large else np.nan  # type: ignore[arg-type]
    return np.array([[psnr, ssim]])


def _shares(array: NDArray[Any]) -> NDArray[np.float32]:
    return array.astype(np.float32) / np.float32(1 if array.dtype.kind == "f" else np.iinfo(array.dtype).max)


def _values(kept: NDArray[Any], _: Sequence[Any], __: Reading) -> dict[str, float]:
    """The means over the pictures."""
    found = {"PSNR": float(kept[:, 0].mean())}
    large = ~np.isnan(kept[:, 1])
    return {**found, "SSIM": float(kept[large, 1].mean())} if large.any() else found


ROLE = Role(
    "image",
    {one: {"range": one} for one in get_args(Range)},
    {"picture": None, "reconstruction": None},
    fact="output",
)

TASK = ExportTask(
    name=RUNTIME.name,
    roles=(ROLE,),
    target=partial(image_target, wrapper=PictureModule),
    score=Scoring(labelled=labelled.pictures, condensed=lambda rows: rows, values=_values, counted=_compared),
)
