"""Where an image is unlike all that was seen in training: a small auto-encoder, which cannot draw what it never saw."""

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC, BinaryPrecisionRecallCurve

from lit_infer.errors import UsageError
from lit_infer.tasks import anomaly_detection

Batch = tuple[Tensor, Tensor]  # images float32 [batch, channels, size, size], and 1 for an anomaly, else 0


class AnomalyDetector(pl.LightningModule):
    """Trained on normal images alone. The score is the largest squared error of its reconstruction, a little smoothed.

    `threshold`, above which an image is anomalous, has the best F1 on what validates, where there are anomalies.
    """

    deployment_task = anomaly_detection.TASK.name
    threshold: Tensor

    def __init__(
        self,
        channels: int = 1,
        image_size: int = 16,
        embedding: int = 4,  # few, so that nothing but what is normal fits into them
        width: int = 16,
        learning_rate: float = 3e-3,
    ) -> None:
        super().__init__()
        if image_size % 4:
            raise UsageError(f"image_size {image_size} must be a multiple of 4")
        self.save_hyperparameters()
        side = image_size // 4
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * side * side, embedding),
        )
        self.decoder = nn.Sequential(
            nn.Linear(embedding, 2 * width * side * side),
            nn.ReLU(),
            nn.Unflatten(1, (2 * width, side, side)),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
        )
        self.register_buffer("threshold", torch.tensor(float("nan")))
        self.metrics = nn.ModuleDict({"val_metrics": BinaryAUROC(), "test_metrics": BinaryAUROC()})
        self.curve = BinaryPrecisionRecallCurve()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores float32 [batch], and maps float32 [batch, 1, height, width] of the errors."""
        errors = ((self.decoder(self.encoder(images)) - images) ** 2).mean(1, keepdim=True)
        maps = functional.avg_pool2d(errors, 3, stride=1, padding=1)
        return maps.amax((1, 2, 3)), maps

    def answers(self, outputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """As they are."""
        return outputs

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean squared error; logs train_loss per step and per epoch."""
        images, _ = batch
        loss = functional.mse_loss(self.decoder(self.encoder(images)), images)
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=len(images))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs val_auroc."""
        scores = self._score("val", batch)
        self.curve.update(*_as_shares(scores, batch[1]))

    def on_validation_epoch_end(self) -> None:
        """Keep the threshold with the best F1."""
        precision, recall, at = self.curve.compute()
        self.curve.reset()
        f1 = 2 * precision * recall / (precision + recall).clamp(min=1e-9)
        best = at[f1[:-1].argmax()]  # the last point of the curve has no threshold
        below = at[at < best]
        middle = (best + (below.max() if len(below) else best)) / 2
        if bool(torch.isfinite(f1).all()) and 0 < float(middle) < 1:
            self.threshold.copy_(middle / (1 - middle))

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Logs test_auroc."""
        metric: Metric = self.metrics["test_metrics"]  # type: ignore[assignment]
        if batch_idx == 0:
            metric.reset()  # each of several loaders by itself
        self._score("test", batch)

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Scores float32 [batch], of images with their truth or without."""
        scores: Tensor = self(batch if isinstance(batch, Tensor) else batch[0])[0]
        return scores

    def configure_optimizers(self) -> Adam:
        """Adam at one learning rate."""
        return Adam(self.parameters(), lr=self.hparams["learning_rate"])

    def _score(self, stage: str, batch: Batch) -> Tensor:
        images, known = batch
        scores: Tensor = self(images)[0]
        metric: Metric = self.metrics[f"{stage}_metrics"]  # type: ignore[assignment]
        metric.update(*_as_shares(scores, known))
        self.log(f"{stage}_auroc", metric, on_epoch=True, prog_bar=True, batch_size=len(images))
        return scores


def _as_shares(scores: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Scores from 0 on as what metrics take for probabilities, in the same order; and the truth."""
    return scores / (1 + scores), known.long()
