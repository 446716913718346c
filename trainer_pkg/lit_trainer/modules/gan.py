"""A generative adversarial network for MNIST: two optimizers that take turns, by manual optimisation."""

import math

import lightning.pytorch as pl
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam
from torchmetrics.classification import BinaryAccuracy

Batch = tuple[Tensor, Tensor]  # images float32 [batch, *image_shape] in [-1, 1], classes int64 [batch], not looked at


class GAN(pl.LightningModule):
    """A generator of images from noise against a discriminator of real and generated ones.

    `generator` is a plain module, to be used and exported on its own. The trainer counts two optimizer steps a batch,
    and its gradient_clip_val does not apply: Lightning leaves both to manual optimisation. For several processes take
    strategy=ddp_find_unused_parameters_true, because each turn leaves the other's weights alone.
    """

    def __init__(
        self,
        latent: int = 100,
        hidden: int = 128,
        image_shape: tuple[int, int, int] = (1, 28, 28),  # channels, height, width
        learning_rate: float = 2e-4,  # of DCGAN (Radford et al. 2015, section 4), as are the betas
        betas: tuple[float, float] = (0.5, 0.999),  # 0.9 oscillates: the opponent changes faster than the mean
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.generator = _generator(latent, hidden, image_shape)
        self.discriminator = _discriminator(hidden, image_shape)
        self.val_accuracy = BinaryAccuracy()
        self.test_accuracy = BinaryAccuracy()

    def forward(self, noise: Tensor) -> Tensor:
        """Images float32 [batch, *image_shape] in [-1, 1] from noise float32 [batch, latent], standard normal."""
        images: Tensor = self.generator(noise)
        return images

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One step of the discriminator, then one of the generator; logs d_loss and g_loss."""
        images, _ = batch
        noise = torch.randn(len(images), self.hparams["latent"], device=self.device)
        optimizer_d, optimizer_g = self.optimizers()  # type: ignore[attr-defined] # two: configure_optimizers
        d_loss = self.discriminator_turn(optimizer_d, images, noise)
        g_loss = self.generator_turn(optimizer_g, noise)
        self.log_dict({"d_loss": d_loss, "g_loss": g_loss}, prog_bar=True, batch_size=len(images))

    def discriminator_turn(self, optimizer: LightningOptimizer, images: Tensor, noise: Tensor) -> Tensor:
        """Learn to tell `images` from those of `noise`; the generator's weights stay."""
        self.toggle_optimizer(optimizer)  # the other's parameters require no gradient: none is computed for them
        loss = self.discriminator_loss(self.discriminator(images), self.discriminator(self(noise)))
        self._descend(optimizer, loss)
        return loss.detach()

    def generator_turn(self, optimizer: LightningOptimizer, noise: Tensor) -> Tensor:
        """Learn to have the images of `noise` taken for real; the discriminator's weights stay."""
        self.toggle_optimizer(optimizer)
        loss = self.generator_loss(self.discriminator(self(noise)))
        self._descend(optimizer, loss)
        return loss.detach()

    def discriminator_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        """The loss of the discriminator's logits [batch, 1]: real should be one, generated zero."""
        return (_real(real) + _generated(generated)) / 2

    def generator_loss(self, generated: Tensor) -> Tensor:
        """The loss of the discriminator's logits [batch, 1]: generated should be taken for real.

        Not the negative of the discriminator's loss, which has no gradient where the generator is worst (Goodfellow
        et al. 2014, section 3).
        """
        return _real(generated)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs val_d_loss, val_g_loss and val_d_acc, which is 0.5 where the discriminator can only guess."""
        self._evaluate("val", batch[0], batch_idx, self.val_accuracy)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Logs test_d_loss, test_g_loss and test_d_acc."""
        if batch_idx == 0:
            self.test_accuracy.reset()  # each of several loaders by itself
        self._evaluate("test", batch[0], batch_idx, self.test_accuracy)

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """As many new images float32 [batch, *image_shape] as there are in the batch."""
        images = batch if isinstance(batch, Tensor) else batch[0]
        made: Tensor = self(torch.randn(len(images), self.hparams["latent"], device=self.device))
        return made

    def configure_optimizers(self) -> list[Adam]:
        """One Adam each: the discriminator's, then the generator's."""
        rate, betas = self.hparams["learning_rate"], self.hparams["betas"]
        return [Adam(part.parameters(), lr=rate, betas=betas) for part in (self.discriminator, self.generator)]

    def _descend(self, optimizer: LightningOptimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.untoggle_optimizer(optimizer)

    def _evaluate(self, stage: str, images: Tensor, batch_idx: int, accuracy: BinaryAccuracy) -> None:
        # The same noise in every epoch, so that epochs compare, and drawn apart from training's.
        source = torch.Generator(self.device).manual_seed(batch_idx)
        noise = torch.randn(len(images), self.hparams["latent"], device=self.device, generator=source)
        real, generated = self.discriminator(images), self.discriminator(self(noise))
        accuracy(torch.cat([real, generated]), torch.cat([torch.ones_like(real), torch.zeros_like(generated)]).int())
        losses = {
            f"{stage}_d_loss": self.discriminator_loss(real, generated),
            f"{stage}_g_loss": self.generator_loss(generated),
        }
        self.log_dict(losses, prog_bar=True, sync_dist=True, batch_size=len(images))
        self.log(f"{stage}_d_acc", accuracy, prog_bar=True, batch_size=len(images))


def _real(logits: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def _generated(logits: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


def _generator(latent: int, hidden: int, image_shape: tuple[int, int, int]) -> nn.Sequential:
    """Noise [batch, latent] to images [batch, *image_shape] in [-1, 1]."""
    return nn.Sequential(
        nn.Linear(latent, hidden),
        nn.LeakyReLU(0.2),
        *_widening(hidden, 2 * hidden),
        *_widening(2 * hidden, 4 * hidden),
        *_widening(4 * hidden, 8 * hidden),
        nn.Linear(8 * hidden, math.prod(image_shape)),
        nn.Tanh(),
        nn.Unflatten(1, image_shape),
    )


def _widening(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.LeakyReLU(0.2)]


def _discriminator(hidden: int, image_shape: tuple[int, int, int]) -> nn.Sequential:
    """Images [batch, *image_shape] to logits [batch, 1]; above zero is real."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(image_shape), 4 * hidden),
        nn.LeakyReLU(0.2),
        nn.Linear(4 * hidden, 2 * hidden),
        nn.LeakyReLU(0.2),
        nn.Linear(2 * hidden, 1),
    )
