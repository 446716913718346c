"""timm: the evaluation transform of a model's configuration."""

from timm.data import create_transform

evaluation = create_transform(
    input_size=(3, 32, 32), is_training=False, interpolation="bicubic", crop_pct=0.9, mean=(0.5,) * 3, std=(0.25,) * 3
)
