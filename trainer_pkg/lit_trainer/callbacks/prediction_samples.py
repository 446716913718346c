"""After each validation epoch, the same few images with the model's answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from lit_infer.images import masks
from lit_infer.tasks import TASKS, Ask, Reading, TaskSpec, image_classification
from lit_infer.tasks.object_detection import FoundBox
from lit_trainer.callbacks import sample_points
from lit_trainer.callbacks.interrupt import run_folder
from lit_trainer.tracking.wandb import WandbLogger

_TILE, _CAPTION, _COLUMNS = 96, 24, 4  # pixels, pixels, tiles


@dataclass(frozen=True)
class PredictionSample:
    """One image and the model's answer."""

    picture: Image.Image
    truth: str
    prediction: str
    confidence: float | None
    """0 to 1, if the task has one."""
    is_right: bool
    truth_mask: NDArray[Any] | None = None
    """Class indices [height, width], for a task of pixels; 255 where nobody labelled any."""
    mask: NDArray[Any] | None = None
    truth_boxes: tuple[FoundBox, ...] = ()
    boxes: tuple[FoundBox, ...] = ()
    classes: tuple[str, ...] = ()
    """Of the masks or boxes."""
    marked: Image.Image | None = None
    """The picture with points drawn into it, for a task of points."""
    made: Image.Image | None = None
    """For a task that makes pictures: what was made of it,"""
    target: Image.Image | None = None
    """and what should have been."""

    @property
    def drawn(self) -> Image.Image:
        """The picture, under the predicted mask, boxes or points if there are any, or beside what was made of it."""
        if self.made is not None and self.target is not None:
            return _side_by_side(self.picture, self.made, self.target)
        if self.marked is not None:
            return self.marked
        if self.mask is None:
            drawn = self.picture.convert("RGB")
            for one in self.boxes:
                ImageDraw.Draw(drawn).rectangle(one.box, outline=(255, 220, 0))
            return drawn
        over = Image.fromarray(masks.colours()[self.mask])
        return Image.blend(self.picture.convert("RGB"), over, 0.5)

    @property
    def for_wandb(self) -> dict[str, Any]:
        """What W&B draws over the picture: both masks, or both sets of boxes."""
        names = dict(enumerate(self.classes))
        if self.mask is not None and self.truth_mask is not None:
            both = {"prediction": self.mask, "ground_truth": self.truth_mask}
            return {"masks": {name: {"mask_data": mask, "class_labels": names} for name, mask in both.items()}}
        if not (self.boxes or self.truth_boxes):
            return {}
        all_boxes = {"prediction": self.boxes, "ground_truth": self.truth_boxes}
        return {
            "boxes": {
                name: {"box_data": list(map(_for_wandb, boxes)), "class_labels": names}
                for name, boxes in all_boxes.items()
            }
        }

    @property
    def caption(self) -> str:
        """The caption below the image."""
        return f"Pred: {self.prediction} Label: {self.truth}"


class PredictionSamples(pl.Callback):
    """Logs the first `count` validation images with "Pred/Label" captions, and a table of them.

    With W&B as images and a table under `key`; with other loggers, or none, as a grid of PNG in the run's
    folder: `samples/epoch=3.png`. What is said of an image is what the deployed model will say.
    """

    def __init__(self, count: int = 8, key: str = "samples") -> None:
        self.count, self.key = count, key
        self._batches: list[tuple[Tensor, Tensor]] = []

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start again: validation is not shuffled, so they are the same images every time."""
        self._batches = []

    @rank_zero_only
    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep what is still missing."""
        missing = self.count - sum(len(images) for images, _ in self._batches)
        if dataloader_idx == 0 and missing > 0:
            images, classes = batch
            self._batches.append((images[:missing], classes[:missing]))

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ask the model, and log."""
        if trainer.sanity_checking or not self._batches:
            return
        samples = _samples(trainer, pl_module, self._batches)
        wandb_loggers = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
        for logger in wandb_loggers:
            self._log_to_wandb(logger, samples)
        if not wandb_loggers:
            path = run_folder(trainer) / "samples" / f"epoch={trainer.current_epoch}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            grid(samples).save(path)

    def _log_to_wandb(self, logger: WandbLogger, samples: list[PredictionSample]) -> None:
        import wandb

        pictures = [one.drawn if one.made is not None else one.marked or one.picture for one in samples]
        drawn = [one.for_wandb for one in samples]
        kinds = {kind for one in drawn for kind in one}
        more: dict[str, Any] = {kind: [one.get(kind) for one in drawn] for kind in kinds}
        logger.log_image(self.key, pictures, caption=[sample.caption for sample in samples], **more)
        shown = [wandb.Image(picture, **over) for picture, over in zip(pictures, drawn, strict=True)]
        rows = [[one, s.truth, s.prediction, s.confidence] for one, s in zip(shown, samples, strict=True)]
        logger.log_table(f"{self.key}_table", columns=["image", "truth", "prediction", "confidence"], data=rows)


def grid(samples: list[PredictionSample]) -> Image.Image:
    """The samples side by side, captions below; wrong ones in red."""
    rows = -(-len(samples) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * (_TILE + 8), rows * (_TILE + _CAPTION + 8)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, sample in enumerate(samples):
        left, top = index % _COLUMNS * (_TILE + 8) + 4, index // _COLUMNS * (_TILE + _CAPTION + 8) + 4
        sheet.paste(sample.drawn.convert("RGB").resize((_TILE, _TILE), Image.Resampling.NEAREST), (left, top))
        colour = "black" if sample.is_right else "red"
        confidence = "" if sample.confidence is None else f" {sample.confidence:.2f}"
        lines = f"Pred: {sample.prediction}{confidence}\nLabel: {sample.truth}"
        draw.multiline_text((left, top + _TILE), lines, fill=colour, spacing=0)
    return sheet


def _samples(
    trainer: pl.Trainer, module: pl.LightningModule, batches: list[tuple[Tensor, Tensor]]
) -> list[PredictionSample]:
    images = torch.cat([images for images, _ in batches])
    truths = torch.cat([known for _, known in batches])
    facts = getattr(getattr(trainer, "datamodule", None), "deployment_facts", None)
    task = TASKS[facts.task if facts is not None else image_classification.TASK.name]
    with torch.no_grad():
        answers = [one.cpu() for one in _answers(module, images)]
    size = task.size_of(answers[0].shape)
    reading = task.reading(
        labels=facts.labels if facts is not None else None,
        answers=facts.answers if facts is not None else {},
        size=size,
    )
    told = zip(images.cpu(), _truths(task, reading, truths.cpu(), size), _read(task, reading, answers), strict=True)
    return [_sample(_picture(image, facts), truth, said, task, reading) for image, truth, said in told]


def _sample(picture: Image.Image, truth: Any, said: Any, task: TaskSpec, reading: Reading) -> PredictionSample:
    known, shown = (task.show(task.row(answer)) for answer in (truth, said))
    is_right = task.agreement is None or shown.title == known.title
    sample = PredictionSample(picture, known.title, shown.title, shown.score, is_right=is_right)
    if task.kind == "points":
        is_right = sample_points.is_right(picture, said, truth)
        return replace(sample, is_right=is_right, marked=sample_points.drawn(picture, said, truth))
    if task.kind == "image":
        return replace(
            sample, is_right=True, made=task.drawn and task.drawn(said), target=task.drawn and task.drawn(truth)
        )
    if task.kind == "boxes":
        return replace(sample, truth_boxes=truth.boxes, boxes=said.boxes, classes=reading.labels or ())
    if not task.draws_masks:
        return sample
    return replace(sample, truth_mask=truth.mask, mask=said.mask, classes=reading.labels or ())


def _side_by_side(*pictures: Image.Image) -> Image.Image:
    height = max(picture.height for picture in pictures)
    sheet = Image.new("RGB", (sum(picture.width for picture in pictures), height))
    left = 0
    for picture in pictures:
        sheet.paste(picture.convert("RGB"), (left, 0))
        left += picture.width
    return sheet


def _truths(task: TaskSpec, reading: Reading, truths: Tensor, size: int | None) -> Sequence[Any]:
    """What is known, as answers: those of a model that is always right."""
    if task.kind == "points":
        plain = task.reading(labels=reading.labels, answers={}, size=size)
        return _read(task, plain, [sample_points.as_points(truths)], threshold=0.5)
    if task.kind == "image" or size is None:
        return _read(task, reading, [truths])
    return _read(task, reading, _as_boxes(truths, size) if task.kind == "boxes" else [_as_rows(truths, size)])


def _as_rows(truths: Tensor, size: int) -> Tensor:
    """The answers of a model that is always right: [batch, size], or [batch, size, height, width] for masks."""
    if truths.ndim == 3:
        there = truths < size
        return (functional.one_hot(truths * there, size) * there[..., None]).movedim(-1, 1).float()
    if truths.is_floating_point():
        return truths.reshape(len(truths), -1)
    return functional.one_hot(truths, size).float()


def _as_boxes(targets: Tensor, size: int) -> list[Tensor]:
    """The scores and boxes of a model that is always right, of targets [batch, most, 5]."""
    classes = targets[..., 0].long()
    there = classes >= 0
    scores = functional.one_hot(classes * there, size) * there[..., None]
    return [scores.float(), targets[..., 1:]]


def _for_wandb(one: FoundBox) -> dict[str, Any]:
    names = ("minX", "minY", "maxX", "maxY")
    return {
        "position": dict(zip(names, one.box, strict=True)),
        "domain": "pixel",
        "class_id": one.index,
        "scores": {"score": one.score},
    }


def _answers(module: pl.LightningModule, images: Tensor) -> Sequence[Tensor]:
    """The module's answers when deployed; the softmax of its outputs, for a module that does not define them."""
    outputs: Tensor = module(images)
    answers = getattr(module, "answers", None)
    found: Any = torch.softmax(outputs, dim=-1) if answers is None else answers(outputs)
    return found if isinstance(found, tuple) else (found,)


def _read(task: TaskSpec, reading: Reading, rows: Sequence[Tensor], threshold: float | None = None) -> Sequence[Any]:
    asks = [Ask(top_k=1, threshold=threshold)] * len(rows[0])
    return task.read([one.cpu().numpy() for one in rows], asks, reading)


def _picture(image: Tensor, facts: Any) -> Image.Image:
    """The normalised image [channels, height, width] as it looked before."""
    if facts is not None and facts.normalize is not None:
        mean = torch.tensor(facts.normalize.mean).view(-1, 1, 1)
        std = torch.tensor(facts.normalize.std).view(-1, 1, 1)
        image = image.float() * std + mean
    else:
        image = image.float() - image.min()
        image = image / image.max().clamp(min=1e-6)
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
