"""timm's `create_transform`."""

# ruff: noqa: D103 - each is named by its case
import timm
from case import Case
from timm.data import create_transform, resolve_data_config


def of_a_model():
    model = timm.create_model("convnext_atto", pretrained=False)
    return create_transform(**resolve_data_config({}, model=model), is_training=False)


CASES = [
    Case("of a model (resolve_data_config)", "shorter side and crop, bicubic", of_a_model),
    Case("crop_mode squash", "resize to a pair", lambda: create_transform(160, crop_pct=0.95, crop_mode="squash")),
    Case(
        "crop_mode border", "longest side and border", lambda: create_transform(160, crop_pct=1.0, crop_mode="border")
    ),
    Case(
        "not square",
        "shorter side and crop of a pair",
        lambda: create_transform((3, 128, 192), interpolation="bicubic"),
    ),
]
