"""A LightningCLI project; the encoder is given by class_path."""

from blobs import Blobs, Classifier
from lightning.pytorch.cli import LightningCLI

if __name__ == "__main__":
    LightningCLI(Classifier, Blobs, seed_everything_default=1)
