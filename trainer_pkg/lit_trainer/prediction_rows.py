"""What `lit-train predict` writes: the rows that `lit-infer` writes for the exported model."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from torch import Tensor

from lit_infer import console, files, folder, images
from lit_infer.errors import InputError
from lit_infer.manifest import DeploymentFacts
from lit_infer.predictor import Prediction
from lit_infer.tasks import TASKS, Ask, Reading, TaskSpec

OUTPUT = Path("predictions.jsonl")


class PredictionRows(pl.Callback):
    """Collects the probabilities of each file of the data module's `predict_paths`, and writes them as rows.

    Such a data module's predict batches are (images, index into `predict_paths`). Does nothing for others.
    """

    def __init__(self, *, model: str) -> None:
        self.model = model
        """Recorded in each row: the model that predicted it."""
        self._scores: dict[int, Any] = {}

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the batch's rows [classes] under their files' indices."""
        if _paths(trainer) is not None and isinstance(outputs, Tensor):
            self._scores.update(zip(batch[1].tolist(), outputs.cpu().numpy(), strict=True))

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write one row per file, in the files' order; a file that could not be read has its error."""
        paths = _paths(trainer)
        if paths is None:
            return
        if trainer.world_size > 1:
            console.note("several processes cannot write the rows: use --trainer.devices 1")
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        table = self._table(data.deployment_facts)
        rows = (table.row(self._prediction(index, path, table.task, table.reading)) for index, path in enumerate(paths))
        folder.write_rows(rows, OUTPUT, table.columns)
        console.note(f"{len(paths)} rows written to {OUTPUT}")

    def _table(self, facts: DeploymentFacts) -> folder.Table:
        size = next((len(row) for row in self._scores.values()), None)
        task = TASKS[facts.task]
        reading = task.reading(labels=facts.labels, answers=facts.answers, size=size)
        return folder.Table(task, reading, self.model)

    def _prediction(self, index: int, path: Path, task: TaskSpec, reading: Reading) -> Prediction:
        if index not in self._scores:
            return _unreadable(path)
        (answer,) = task.read((self._scores[index][None],), [Ask()], reading)
        return Prediction(str(path), answer)


def identity(checkpoint: str | None, *, name: str | None) -> str:
    """The identity of the model, as in a bundle of the checkpoint: name and digest."""
    if checkpoint is None or not Path(checkpoint).is_file():
        return "untrained"
    return f"{name}@{files.sha256(Path(checkpoint))[:12]}"


def _paths(trainer: pl.Trainer) -> list[Path] | None:
    return getattr(getattr(trainer, "datamodule", None), "predict_paths", None)


def _unreadable(path: Path) -> Prediction:
    """The loader left the file out: ask the runtime why."""
    try:
        images.prepare(path, steps=(), channels=3)
    except InputError as error:
        return Prediction(str(path), error=str(error), code=error.code)
    return Prediction(str(path), error="was not in any batch of the predict loader", code="not_predicted")
