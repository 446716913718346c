"""Hugging Face: the processor of a model, made by hand here; usually `AutoImageProcessor.from_pretrained(...)`."""

from PIL import Image
from torch import Tensor
from transformers import ViTImageProcessor

processor = ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.25] * 3)


def evaluation(image: Image.Image) -> Tensor:
    """What `ImageFolder` calls."""
    return processor(images=image, return_tensors="pt")["pixel_values"][0]
