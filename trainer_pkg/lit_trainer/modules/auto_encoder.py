"""An auto-encoder for MNIST: every image squeezed through three numbers."""

import lightning.pytorch as pl
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam
from torchmetrics import MeanSquaredError

Batch = tuple[Tensor, Tensor]  # images float32 [batch, 1, 28, 28], classes int64 [batch], which are not looked at


class AutoEncoder(pl.LightningModule):
    """`encoder` and `decoder` are plain modules, to be used and exported on their own."""

    def __init__(
        self,
        pixels: int = 28 * 28,
        hidden: int = 64,
        embedding: int = 3,  # few enough to be plotted
        learning_rate: float = 1e-3,  # Adam's own default
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(
            nn.Flatten(),  # takes images, and leaves rows of pixels as they are
            nn.Linear(pixels, hidden),
            nn.ReLU(),
            nn.Linear(hidden, embedding),
        )
        # Ends without an activation: normalised images have no fixed range.
        self.decoder = nn.Sequential(nn.Linear(embedding, hidden), nn.ReLU(), nn.Linear(hidden, pixels))
        self.val_error = MeanSquaredError()
        self.test_error = MeanSquaredError()

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings float32 [batch, embedding] of images float32 [batch, 1, 28, 28]."""
        embeddings: Tensor = self.encoder(images)
        return embeddings

    def reconstruct(self, images: Tensor) -> Tensor:
        """The images as they come back from their embeddings, in the same shape."""
        pixels: Tensor = self.decoder(self(images))
        return pixels.view_as(images)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean squared error over all pixels; logs train_loss per step and per epoch."""
        images, _ = batch
        loss = functional.mse_loss(self.reconstruct(images), images)
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=len(images))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs val_loss."""
        images, _ = batch
        self.val_error(self.reconstruct(images), images)
        self.log("val_loss", self.val_error, prog_bar=True, batch_size=len(images))

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Logs test_loss."""
        if batch_idx == 0:
            self.test_error.reset()  # each of several loaders by itself
        images, _ = batch
        self.test_error(self.reconstruct(images), images)
        self.log("test_loss", self.test_error, prog_bar=True, batch_size=len(images))

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Embeddings float32 [batch, embedding], of images with classes or without."""
        embeddings: Tensor = self(batch if isinstance(batch, Tensor) else batch[0])
        return embeddings

    def configure_optimizers(self) -> Adam:
        """Adam at one learning rate."""
        return Adam(self.parameters(), lr=self.hparams["learning_rate"])
