"""albumentations', with OpenCV."""

# ruff: noqa: D103 - each is named by its case
import albumentations as A  # noqa: N812 - as everybody writes it
import cv2
from albumentations.pytorch import ToTensorV2
from case import Case

NORMAL = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
CONSTANT = cv2.BORDER_CONSTANT
BANDS = {"mode": "unchanged", "library": "numpy", "depth": "uint8"}
DEEP = {"mode": "unchanged", "library": "opencv", "depth": "uint16"}


def compose(*parts):
    return lambda: A.Compose([*parts, ToTensorV2()])


CASES = [
    Case("Resize", "resize to a pair", compose(A.Resize(256, 256), A.Normalize(**NORMAL))),
    Case(
        "LongestMaxSize + PadIfNeeded",
        "letterbox",
        compose(A.LongestMaxSize(256), A.PadIfNeeded(256, 256, border_mode=CONSTANT, fill=0), A.Normalize(**NORMAL)),
    ),
    Case(
        "SmallestMaxSize + CenterCrop, cubic",
        "shorter side and crop",
        compose(A.SmallestMaxSize(256, interpolation=cv2.INTER_CUBIC), A.CenterCrop(224, 224), A.Normalize(**NORMAL)),
    ),
    Case(
        "Resize, INTER_AREA",
        "INTER_AREA",
        compose(A.Resize(128, 192, interpolation=cv2.INTER_AREA), A.Normalize(**NORMAL)),
    ),
    Case(
        "area_for_downscale",
        "INTER_AREA, letterbox",
        compose(
            A.LongestMaxSize(192, area_for_downscale="image"),
            A.PadIfNeeded(192, 192, position="top_left", border_mode=CONSTANT, fill=114),
            A.Normalize(**NORMAL),
        ),
    ),
    Case(
        "max_size_hw (a line of text)",
        "letterbox of a pair",
        compose(
            A.LongestMaxSize(max_size_hw=(32, 280)),
            A.PadIfNeeded(32, 280, border_mode=CONSTANT, fill=255),
            A.ToGray(1, p=1),
            A.Normalize(0.5, 0.5),
        ),
    ),
    Case(
        "pad to a stride",
        "pad to stride",
        compose(
            A.Resize(100, 150),
            A.PadIfNeeded(None, None, pad_height_divisor=32, pad_width_divisor=32, border_mode=CONSTANT),
            A.Normalize(**NORMAL),
        ),
    ),
    Case("ToGray + ToFloat", "grey", compose(A.ToGray(p=1), A.Resize(96, 96), A.ToFloat(255))),
    Case(
        "min_max_per_channel",
        "by the image's own values",
        compose(A.Resize(128, 128), A.Normalize(normalization="min_max_per_channel")),
    ),
    Case(
        "image_per_channel",
        "by the image's own values",
        compose(A.Resize(96, 80), A.Normalize(normalization="image_per_channel")),
    ),
    Case(
        "five bands of .npy",
        "N channels",
        compose(A.Resize(96, 96), A.Normalize(mean=(0.1, 0.2, 0.3, 0.4, 0.5), std=(0.2,) * 5)),
        read=BANDS,
    ),
    Case(
        "16-bit PNG",
        "16 bits, INTER_AREA",
        compose(
            A.ToFloat(65535), A.Resize(96, 96, interpolation=cv2.INTER_AREA), A.Normalize(0.4, 0.2, max_pixel_value=1.0)
        ),
        read=DEEP,
    ),
]
