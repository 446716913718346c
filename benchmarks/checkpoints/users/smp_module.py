"""segmentation_models_pytorch as its CamVid notebook wraps it."""

import pytorch_lightning as pl
import segmentation_models_pytorch as smp
import torch


class CamVidModel(pl.LightningModule):
    def __init__(self, arch, encoder_name, in_channels, out_classes, **kwargs):
        super().__init__()
        self.save_hyperparameters()
        self.model = smp.create_model(
            arch,
            encoder_name=encoder_name,
            encoder_weights=None,
            in_channels=in_channels,
            classes=out_classes,
            **kwargs,
        )
        params = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}  # the notebook asks the hub for these
        self.number_of_classes = out_classes
        self.register_buffer("std", torch.tensor(params["std"]).view(1, 3, 1, 1))
        self.register_buffer("mean", torch.tensor(params["mean"]).view(1, 3, 1, 1))
        self.loss_fn = smp.losses.DiceLoss(smp.losses.MULTICLASS_MODE, from_logits=True)

    def forward(self, image):
        image = (image - self.mean) / self.std
        return self.model(image)

    def shared_step(self, batch, stage):
        image, mask = batch
        assert image.ndim == 4
        return self.loss_fn(self.forward(image), mask.long())

    def training_step(self, batch, batch_idx):
        return self.shared_step(batch, "train")

    def validation_step(self, batch, batch_idx):
        self.log("valid_loss", self.shared_step(batch, "valid"))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=2e-4)
