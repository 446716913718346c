"""kornia, MONAI, and functions by hand."""

# ruff: noqa: D103 - each is named by its case
import cv2
import kornia.augmentation as K  # noqa: N812 - as everybody writes it
import monai.transforms as M  # noqa: N812
import numpy as np
import torch
from case import Case
from PIL import Image
from torchvision.transforms import v2

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NORMAL = {"mean": list(IMAGENET[0]), "std": list(IMAGENET[1])}
FLOATS = {"mode": "unchanged", "library": "numpy", "depth": "float32"}
BANDS = {"mode": "unchanged", "library": "tifffile", "depth": "uint16"}


def kornia_of_floats():
    resize = K.Resize((128, 128), align_corners=False)
    normalize = K.Normalize(torch.tensor(IMAGENET[0]), torch.tensor(IMAGENET[1]))
    return v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), resize, normalize])


def kornia_s_own_corners():
    return v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), K.Resize((96, 128))])


def monai_s_own_area():
    return M.Compose([M.EnsureChannelFirst(channel_dim=-1), M.Resize((96, 128)), M.ScaleIntensity()])


def monai_of_bands():
    return M.Compose(
        [
            M.EnsureChannelFirst(channel_dim=-1),
            M.Resize((97, 97), mode="bilinear"),
            M.CenterSpatialCrop((90, 92)),
            M.SpatialPad((96, 96)),
            M.NormalizeIntensity(subtrahend=[0.1, 0.2, 0.3, 0.4, 0.5], divisor=[0.2] * 5, channel_wise=True),
        ]
    )


def yolo_letterbox(image):
    """As in YOLOv5 and all that followed it."""
    shape, size = image.shape[:2], (320, 320)
    ratio = min(size[0] / shape[0], size[1] / shape[1])
    inner = round(shape[1] * ratio), round(shape[0] * ratio)
    wide, high = (size[1] - inner[0]) / 2, (size[0] - inner[1]) / 2
    if shape[::-1] != inner:
        image = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    top, bottom = round(high - 0.1), round(high + 0.1)
    left, right = round(wide - 0.1), round(wide + 0.1)
    image = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255


def area_by_hand(path):
    image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    image = cv2.resize(image, (96, 64), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return ((image - np.float32(IMAGENET[0])) / np.float32(IMAGENET[1])).transpose(2, 0, 1)


def line_of_text(image):
    """PARSeq's and CRNN's: a fixed height, in BGR, -1 to 1."""
    image = image.resize((128, 32), Image.BICUBIC)
    values = np.asarray(image, np.float32)[:, :, ::-1] / 255
    return torch.from_numpy(((values - 0.5) / 0.5).transpose(2, 0, 1).copy())


def satellite(array):
    """Bands 4, 3 and 2 of a stack, stretched to their percentiles."""
    bands = cv2.resize(np.ascontiguousarray(array[:, :, [3, 2, 1]]).astype(np.float32), (96, 96))
    low, high = np.percentile(bands, (2, 98), axis=(0, 1))
    return np.clip((bands - low) / (high - low), 0, 1).transpose(2, 0, 1).astype(np.float32)


def given(function):
    return lambda: function


CASES = [
    Case("kornia.augmentation, align_corners=False", "resize of floats", kornia_of_floats),
    Case("kornia.augmentation, as it is", "resize of floats, aligned corners", kornia_s_own_corners),
    Case("MONAI, as it is", "resize of floats by area", monai_s_own_area),
    Case(
        "MONAI, five bands of .npy",
        "N channels",
        monai_of_bands,
        read=FLOATS,
    ),
    Case(
        "cv2 letterbox by hand (YOLO)",
        "letterbox",
        given(yolo_letterbox),
        spec={"preprocess": [{"letterbox": {"size": 320, "library": "opencv"}}]},
    ),
    Case(
        "cv2.imread and INTER_AREA by hand",
        "INTER_AREA",
        given(area_by_hand),
        spec={
            "preprocess": [
                {"read": {"library": "opencv"}},
                {"resize": {"size": [64, 96], "library": "opencv", "interpolation": "area"}},
            ],
            "normalize": NORMAL,
        },
    ),
    Case(
        "a line of text, BGR",
        "resize to a pair, bicubic",
        given(line_of_text),
        spec={
            "preprocess": [
                {"resize": {"size": [32, 128], "interpolation": "bicubic"}},
                {"channels": {"order": [2, 1, 0]}},
            ],
            "normalize": {"mean": [0.5] * 3, "std": [0.5] * 3},
        },
    ),
    Case(
        "three of many bands (tifffile)",
        "N channels, percentiles",
        given(satellite),
        spec={
            "preprocess": [
                {"read": BANDS},
                {"channels": {"order": [3, 2, 1]}},
                {"scale": {"by": 1}},
                {"resize": {"size": [96, 96], "library": "opencv"}},
                {"stretch": {"kind": "percentile", "low": 2, "high": 98, "per_channel": True, "clip": True}},
            ]
        },
    ),
]
