"""What `lit-train predict` writes: the rows that `lit-infer` writes for the exported model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from lit_infer import console, files, folder
from lit_infer.predictor import Prediction, top_choices

OUTPUT = Path("predictions.jsonl")


def write(trainer: pl.Trainer, data: Any, batches: Sequence[Any], *, checkpoint: str | None) -> None:
    """Write one row per file of the data module's `predict_paths`; does nothing where it has none.

    `batches`: probabilities [batch, classes], in the order of the files.
    """
    paths = getattr(data, "predict_paths", None)
    if paths is None or not trainer.is_global_zero:
        return
    if trainer.world_size > 1:
        console.note("no rows are written: use one device, --trainer.devices 1, to keep the files' order")
        return
    labels = data.deployment_facts.labels
    model = _identity(checkpoint)
    rows = []
    for path, scores in zip(paths, (row for batch in batches for row in batch.numpy()), strict=True):
        top = top_choices(scores, labels=labels, top_k=5)
        prediction = Prediction(str(path), label=top[0].label, index=top[0].index, score=top[0].score, top=top)
        rows.append(folder.row(prediction, model=model))
    folder.write_rows(iter(rows), OUTPUT)
    console.note(f"{len(rows)} rows written to {OUTPUT}")


def _identity(checkpoint: str | None) -> str:
    """As the bundle of this checkpoint would call itself, name apart: export knows the reference's."""
    if checkpoint is None or not Path(checkpoint).is_file():
        return "untrained"
    return f"{Path(checkpoint).stem}@{files.sha256(Path(checkpoint))[:12]}"
