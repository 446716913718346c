"""torchvision's: v1, v2, PIL images, tensors, presets."""

# ruff: noqa: D103 - each is named by its case
import torch
from case import Case
from PIL import ImageOps
from torchvision import transforms as T  # noqa: N812 - as everybody writes it
from torchvision.models import EfficientNet_B0_Weights, ResNet50_Weights
from torchvision.transforms import InterpolationMode, v2

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
BICUBIC = InterpolationMode.BICUBIC


def _to_rgb(image):
    return image.convert("RGB")


def classic():
    return T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(), T.Normalize(*IMAGENET)])


def squashed():
    to_float = v2.ToDtype(torch.float32, scale=True)
    return v2.Compose([v2.Resize((224, 224), interpolation=BICUBIC), v2.ToImage(), to_float, v2.Normalize(*IMAGENET)])


def of_tensors():
    to_float = v2.ToDtype(torch.float32, scale=True)
    return v2.Compose([v2.ToImage(), v2.Resize((224, 192), antialias=True), to_float, v2.Normalize(*IMAGENET)])


def of_tensors_by_the_shorter_side():
    to_float = v2.ToDtype(torch.float32, scale=True)
    return v2.Compose([v2.ToImage(), v2.Resize(146, BICUBIC), v2.CenterCrop(128), to_float, v2.Normalize(*IMAGENET)])


def of_floats():
    return T.Compose([T.ToTensor(), T.Resize((160, 160)), T.Normalize(*IMAGENET)])


def digits():
    return T.Compose([T.Grayscale(), T.Resize((32, 32)), T.ToTensor(), T.Normalize((0.1307,), (0.3081,))])


def grey_of_three():
    return T.Compose([T.Grayscale(num_output_channels=3), T.Resize((128, 128)), T.ToTensor(), T.Normalize(*IMAGENET)])


def longest_side():
    to_float = v2.ToDtype(torch.float32, scale=True)
    return v2.Compose([v2.Resize(None, max_size=128), v2.CenterCrop(128), v2.ToImage(), to_float])


def unscaled():
    means = v2.Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    return v2.Compose([v2.PILToTensor(), v2.Resize((96, 128), antialias=False), v2.ToDtype(torch.float32), means])


def upright():
    return T.Compose([ImageOps.exif_transpose, T.Resize((120, 160), InterpolationMode.LANCZOS), T.ToTensor()])


def clip():
    normal = T.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    return T.Compose([T.Resize(224, BICUBIC), T.CenterCrop(224), _to_rgb, T.ToTensor(), normal])


def repeated():
    return T.Compose(
        [T.Grayscale(), T.Resize((64, 64)), T.ToTensor(), T.Lambda(lambda x: x.repeat(3, 1, 1)), T.Normalize(*IMAGENET)]
    )


CASES = [
    Case("v1, PIL", "shorter side and crop", classic),
    Case("v2, PIL, bicubic", "resize to a pair", squashed),
    Case("v2, uint8 tensors", "resize to a pair", of_tensors),
    Case("v2, uint8 tensors, bicubic", "shorter side and crop", of_tensors_by_the_shorter_side),
    Case("v1, ToTensor first", "resize of floats", of_floats),
    Case("v1, MNIST", "grey", digits),
    Case("v1, grey as three", "grey", grey_of_three),
    Case("v2, Resize(None, max_size)", "longest side, padded by the crop", longest_side),
    Case("v2, 0..255 means, not antialiased", "no scaling", unscaled),
    Case("v1, EXIF, Lanczos", "EXIF upright", upright),
    Case("ResNet50_Weights.DEFAULT", "preset", ResNet50_Weights.DEFAULT.transforms),
    Case("EfficientNet_B0_Weights.DEFAULT", "preset, bicubic", EfficientNet_B0_Weights.DEFAULT.transforms),
    Case("v1, a function in the list (CLIP)", "shorter side and crop", clip),
    Case("v1, Lambda(repeat)", "grey as three by hand", repeated),
]
