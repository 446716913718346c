"""A small GAN by manual optimisation, and one whose `forward` makes its own noise."""

import lightning.pytorch as pl
import torch
from torch import nn
from torch.nn import functional as F


class Generator(nn.Module):
    """From noise to grey images."""

    def __init__(self, latent_dim, img_shape):
        super().__init__()
        self.img_shape = img_shape
        self.model = nn.Sequential(
            nn.Linear(latent_dim, 64),
            nn.BatchNorm1d(64),
            nn.LeakyReLU(0.2),
            nn.Linear(64, img_shape[0] * img_shape[1] * img_shape[2]),
            nn.Tanh(),
        )

    def forward(self, z):
        img = self.model(z)
        return img.view(img.size(0), *self.img_shape)


class GAN(pl.LightningModule):
    """The generator against the discriminator."""

    def __init__(self, latent_dim=16, channels=1, height=28, width=28, lr=2e-4):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.generator = Generator(latent_dim, (channels, height, width))
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 1))

    def forward(self, z):
        return self.generator(z)

    def noise(self, count):
        return torch.randn(count, self.hparams.latent_dim, device=self.device)

    def training_step(self, batch, batch_idx):
        imgs, _ = batch
        optimizer_g, optimizer_d = self.optimizers()
        fake = self.generator(self.noise(len(imgs)))
        g_loss = self.adversarial_loss(self.discriminator(fake), 1.0)
        optimizer_g.zero_grad()
        self.manual_backward(g_loss)
        optimizer_g.step()
        d_loss = self.adversarial_loss(self.discriminator(imgs), 1.0)
        d_loss = d_loss + self.adversarial_loss(self.discriminator(fake.detach()), 0.0)
        optimizer_d.zero_grad()
        self.manual_backward(d_loss)
        optimizer_d.step()

    def validation_step(self, batch, batch_idx):
        imgs, _ = batch
        fake = self.generator(self.noise(len(imgs)))
        self.log("val_loss", self.adversarial_loss(self.discriminator(fake), 1.0))

    def adversarial_loss(self, y_hat, target):
        return F.binary_cross_entropy_with_logits(y_hat, torch.full_like(y_hat, target))

    def configure_optimizers(self):
        lr = self.hparams.lr
        opt_g = torch.optim.Adam(self.generator.parameters(), lr=lr)
        opt_d = torch.optim.Adam(self.discriminator.parameters(), lr=lr)
        return [opt_g, opt_d]


class SamplingGAN(GAN):
    """`forward` takes nothing: it is called for one more image."""

    def forward(self):
        return self.generator(self.noise(1))
