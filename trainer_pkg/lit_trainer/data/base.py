"""What the data modules share: the loaders, seeded splits, and facts read from the evaluation transform."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import lightning.pytorch as pl
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from lit_infer import images
from lit_infer.errors import InputError, UsageError
from lit_infer.hardware import usable_cpus
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import image_classification
from lit_trainer.data.deployment import facts_from_transform
from lit_trainer.data.resumable import ResumableLoader

Loader = DataLoader[Any]
HeldOut = Literal["val", "test"]


class SplitDataModule(pl.LightningDataModule):
    """Train, validation, test and predict loaders over the sets that a subclass makes in `setup`.

    `test_on` says what testing is done on: the test set, the validation set, or both, as a list of loaders.
    `num_workers=None` means one per usable core, at most four.
    """

    train_set: Dataset[Any]
    val_set: Dataset[Any]
    test_set: Dataset[Any]
    predict_set: Dataset[Any]

    def __init__(self, *, batch_size: int, num_workers: int | None, test_on: Sequence[HeldOut] = ("test",)) -> None:
        super().__init__()
        # No save_hyperparameters: in the checkpoint they would be mixed with the model's.
        self.batch_size = batch_size
        self.num_workers = min(4, usable_cpus()) if num_workers is None else num_workers
        self.test_on = tuple(test_on)

    def train_dataloader(self) -> Loader:
        """Shuffled; a run resumed within an epoch continues with the batches it had not seen."""
        return self._loader(self.train_set, loader=ResumableLoader, shuffle=True)

    def val_dataloader(self) -> Loader:
        """In order."""
        return self._loader(self.val_set)

    def test_dataloader(self) -> Loader | list[Loader]:
        """In order; a list of loaders if `test_on` names more than one set."""
        loaders = [self._loader(self.val_set if name == "val" else self.test_set) for name in self.test_on]
        return loaders if len(loaders) > 1 else loaders[0]

    def predict_dataloader(self) -> Loader:
        """In order."""
        return self._loader(self.predict_set)

    def needs(self, split: Literal["train", "val", "test", "predict"], stage: str) -> bool:
        """Whether a stage (fit, validate, test, predict) uses a split."""
        return split in {"fit": ("train", "val"), "validate": ("val",), "test": self.test_on}.get(stage, ("predict",))

    def _loader(
        self,
        dataset: Dataset[Any],
        *,
        loader: type[Loader] = DataLoader,
        shuffle: bool = False,
        collate: Callable[[list[Any]], Any] | None = None,
    ) -> Loader:
        return loader(
            dataset,
            batch_size=self.batch_size,
            shuffle=shuffle,
            num_workers=self.num_workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),  # without a GPU it only copies, and warns
            # Its own, so that validation draws nothing from the generator that exact resumption of training depends on.
            generator=None if shuffle else torch.Generator(),
            # Kept from epoch to epoch, but not for training: a worker's generator is not in any checkpoint,
            # and a resumed run would augment otherwise. Starting them again takes some 50 ms per epoch.
            persistent_workers=self.num_workers > 0 and loader is not ResumableLoader,
        )


class ImageDataModule(SplitDataModule):
    """Images float32 [batch, channels, height, width] and their classes int64 [batch], or numbers float32 [batch, n].

    A subclass sets the transforms of PIL images: `train_transform` augments, `eval_transform` does not. Its steps
    are recorded in the checkpoint as those of deployment.
    """

    usual_task: ClassVar[str] = image_classification.TASK.name
    """What a module that names no task is deployed for."""

    train_transform: v2.Compose
    eval_transform: v2.Compose

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, labels or values, in index order; empty for a task that has none."""
        raise NotImplementedError

    @property
    def deployment_facts(self) -> DeploymentFacts:
        """What `DeploymentFacts`, the callback, stores in the checkpoint."""
        return facts_from_transform(
            self.eval_transform, task=self._task, labels=self.labels or None, answers=self.answers
        )

    @property
    def answers(self) -> Mapping[str, Any]:
        """How answers are read when the module is deployed, such as units of values; the facts of the task."""
        return {}

    @property
    def _task(self) -> str:
        """The task of the module being trained, if it names one; else the usual one of such data."""
        module = getattr(self.trainer, "lightning_module", None)
        return getattr(module, "deployment_task", self.usual_task)


class Part(Dataset[tuple[Tensor, Any]]):
    """Some of the (PIL image, class) pairs of `items`, under a transform: two parts can share one dataset.

    Instead of a class there may be a sequence of numbers: 0 or 1 for each of several labels, or values.
    """

    def __init__(self, items: Any, indices: Sequence[int], transform: v2.Compose) -> None:
        self.items, self.indices, self.transform = items, indices, transform

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        image, known = self.items[self.indices[index]]
        return self.transform(image), torch.tensor(known) if isinstance(known, Sequence) else known


def to_tensor(mean: Sequence[float], std: Sequence[float]) -> list[v2.Transform]:
    """How a transform ends: float32 [channels, height, width], scaled to [0, 1], then normalised."""
    return [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(mean), list(std))]


def hold_out(count: int, held: int, *, seed: int) -> tuple[list[int], list[int]]:
    """Indices of the rest and of `held` drawn at random: sorted, disjoint, the same for the same seed."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return sorted(order[held:]), sorted(order[:held])


def hold_out_share(count: int, share: float, *, seed: int) -> tuple[list[int], list[int]]:
    """The same for a share of them. Raises UsageError where nothing would be left on one side."""
    held = round(share * count)
    if not 0 < held < count:
        raise UsageError(f"val_fraction {share:g} of {count} images leaves nothing to train or check")
    return hold_out(count, held, seed=seed)


def as_stored(path: Path) -> Image.Image:
    """An image as torchvision's loader reads it: RGB, its EXIF orientation ignored. Raises InputError with its path."""
    try:
        return Image.fromarray(images.prepare(path, steps=(), channels=3))
    except InputError as error:
        raise InputError(f"{path}: {error}", code=error.code) from None
