"""Hugging Face's image processors, of torchvision (formerly "fast") and of Pillow ("slow")."""

# ruff: noqa: D103 - each is named by its case
from case import Case

CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}


def processor(name, **options):
    def make():
        import transformers

        return getattr(transformers, name)(**options)

    return make


CASES = [
    Case("ViT", "resize to a pair", processor("ViTImageProcessor")),
    Case("ViT, Pillow", "resize to a pair", processor("ViTImageProcessorPil")),
    Case("CLIP", "shorter side and crop, bicubic", processor("CLIPImageProcessor", **CLIP)),
    Case("CLIP, Pillow", "shorter side and crop, bicubic", processor("CLIPImageProcessorPil", **CLIP)),
    Case("ConvNeXt", "shorter side and crop", processor("ConvNextImageProcessor", size={"shortest_edge": 224})),
    Case("SigLIP", "resize to a pair, bicubic", processor("SiglipImageProcessor")),
    Case("DINOv2 (BiT's)", "shorter side and crop", processor("BitImageProcessorPil", size={"shortest_edge": 256})),
    Case("MobileViT, Pillow", "crop that pads, BGR", processor("MobileViTImageProcessorPil")),
    Case("SegFormer", "resize to a pair", processor("SegformerImageProcessor", size={"height": 256, "width": 256})),
    Case(
        "ViT, padded",
        "longest side and pad",
        processor(
            "ViTImageProcessor",
            size={"max_height": 224, "max_width": 224},
            do_pad=True,
            pad_size={"height": 224, "width": 224},
        ),
    ),
    Case("MobileNetV2", "shorter side and crop", processor("MobileNetV2ImageProcessor")),
]
