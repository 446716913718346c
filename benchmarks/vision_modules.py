"""The rows of `vision.py`: modules of other projects, each with what its user would say of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

_SEGMENTATION, _DETECTION, _VECTORS = "image-segmentation", "object-detection", "image-embedding"
_CLASSES, _PICTURES, _ANOMALIES = "image-classification", "image-to-image", "anomaly-detection"


@dataclass(frozen=True)
class Row:
    """A module, and what its user would say of it."""

    name: str
    make: Callable[[], nn.Module]
    task: str
    size: int = 128
    normalize: bool = True
    answers: str = ""
    """`{scores: softmax}`: what the spec says of the answers."""
    takes_list: bool = False
    """Of images, as torchvision's detectors do."""
    loud: tuple[str, ...] = ()
    """Parts whose weights are scaled up: a detector with random ones is sure of nothing."""
    bias: float = 0.0
    """Of the parts that are loud: how sure they are of nothing."""
    background: int | None = None
    """Of so many classes the first is likely where a part is loud, as after training: else all candidates are found."""


def rows() -> Iterator[Row]:
    """All of them, by task."""
    for group in (
        _segmenters,
        _torchvision_detectors,
        _detr_family,
        _picture_makers,
        _anomaly_models,
        _extractors,
        _others,
    ):
        yield from group()


def _segmenters() -> Iterator[Row]:
    for name in ("fcn_resnet50", "deeplabv3_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
        yield _torchvision(name, _SEGMENTATION, options={"num_classes": 5})
    for name in (
        "Unet",
        "UnetPlusPlus",
        "MAnet",
        "Linknet",
        "FPN",
        "PSPNet",
        "PAN",
        "DeepLabV3",
        "DeepLabV3Plus",
        "UPerNet",
    ):
        yield _smp(name)
    yield _smp("Segformer", "mit_b0")
    yield _smp("DPT", "tu-vit_tiny_patch16_224", size=224)
    yield _smp("Unet", "mobilenet_v2")
    heads = {"num_labels": 5}
    beit = {"num_hidden_layers": 4, "image_size": 128, "out_indices": [1, 2, 3, 4], "use_auxiliary_head": False}
    for name, config, settings in (
        ("SegformerForSemanticSegmentation", "SegformerConfig", {}),
        ("MobileViTForSemanticSegmentation", "MobileViTConfig", {"image_size": 128}),
        ("MobileNetV2ForSemanticSegmentation", "MobileNetV2Config", {}),
        ("DPTForSemanticSegmentation", "DPTConfig", _DPT),
        ("BeitForSemanticSegmentation", "BeitConfig", _SMALL | beit),
        ("UperNetForSemanticSegmentation", "UperNetConfig", {}),
        ("Mask2FormerForUniversalSegmentation", "Mask2FormerConfig", {}),
        ("MaskFormerForInstanceSegmentation", "MaskFormerConfig", {}),
    ):
        yield _transformers(name, config, _SEGMENTATION, settings | heads)
    yield _torchgeo(
        "SemanticSegmentationTask", _SEGMENTATION, {"model": "unet", "backbone": "resnet18", "num_classes": 5}
    )


def _torchvision_detectors() -> Iterator[Row]:
    for name, loud in (
        ("fcos_resnet50_fpn", ("cls_logits", "bbox_ctrness")),
        ("retinanet_resnet50_fpn", ("cls_logits",)),
        ("retinanet_resnet50_fpn_v2", ("cls_logits",)),
        ("fasterrcnn_resnet50_fpn", ("cls_score", "cls_logits")),
        ("fasterrcnn_resnet50_fpn_v2", ("cls_score", "cls_logits")),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", ("cls_score", "cls_logits")),
    ):
        yield _torchvision(name, _DETECTION, **_found(loud, bias=-6.0 if name.startswith("retinanet") else 0.0))
    for name in ("ssd300_vgg16", "ssdlite320_mobilenet_v3_large"):
        yield _torchvision(name, _DETECTION, **_found(("classification_head",), sides={}, background=7))
    loud = ("cls_score", "cls_logits", "mask_predictor")
    yield _torchvision("maskrcnn_resnet50_fpn", "instance-segmentation", **_found(loud))
    # Its points are those of any number of things.
    yield _torchvision("keypointrcnn_resnet50_fpn", _DETECTION, **_found(("cls_score", "cls_logits"), classes=2))


def _detr_family() -> Iterator[Row]:
    for name, scores, loud, settings in (
        ("Detr", "softmax", ("class_labels",), _DETR),
        ("ConditionalDetr", "sigmoid", ("class_labels",), _DETR),
        ("DabDetr", "sigmoid", ("class_embed",), _DETR | {"hidden_size": 64}),
        ("DeformableDetr", "sigmoid", ("class_embed",), _DETR),
        ("TableTransformer", "softmax", ("class_labels",), _DETR),
        ("Yolos", "softmax", ("class_labels",), _YOLOS),
        ("RTDetr", "sigmoid", ("class_embed", "enc_score_head"), {"num_labels": 7, "num_queries": 30}),
    ):
        answers = f"{{scores: {scores}, threshold: 0.2}}"
        yield _transformers(
            f"{name}ForObjectDetection", f"{name}Config", _DETECTION, settings, answers=answers, loud=loud
        )


def _picture_makers() -> Iterator[Row]:
    values = "{range: values}"
    yield _transformers("DPTForDepthEstimation", "DPTConfig", _PICTURES, _DPT, answers=values)
    yield _transformers("GLPNForDepthEstimation", "GLPNConfig", _PICTURES, {}, answers=values)
    larger = {"image_size": 64, "embed_dim": 32, "depths": [2, 2], "num_heads": [2, 2]}
    yield _transformers("Swin2SRForImageSuperResolution", "Swin2SRConfig", _PICTURES, larger, size=64, normalize=False)
    yield _torchgeo("PixelwiseRegressionTask", _PICTURES, {"model": "unet", "backbone": "resnet18"}, answers=values)


def _anomaly_models() -> Iterator[Row]:
    for name in ("ReverseDistillation", "Fastflow"):  # those with a memory of features must be fitted first
        yield _anomalib(name, {"backbone": "resnet18", "pre_trained": False})
    yield _anomalib("Ganomaly", {})


def _extractors() -> Iterator[Row]:
    for name, size in (
        ("resnet18", 128),
        ("vit_tiny_patch16_224", 224),
        ("convnext_atto", 128),
        ("efficientnet_b0", 128),
    ):
        yield _timm(name, size=size)
    for name, config, settings, size in (
        ("ViTModel", "ViTConfig", _VIT, 128),
        ("Dinov2Model", "Dinov2Config", _SMALL | {"image_size": 126, "patch_size": 14}, 126),
        ("CLIPVisionModelWithProjection", "CLIPVisionConfig", _VIT | {"projection_dim": 32}, 128),
        ("SiglipVisionModel", "SiglipVisionConfig", _VIT, 128),
    ):
        yield _transformers(name, config, _VECTORS, settings, size=size)


def _others() -> Iterator[Row]:
    swin = {"image_size": 224, "embed_dim": 32, "depths": [1, 1], "num_heads": [2, 4]}
    for name, settings, size in (("ViT", _VIT, 128), ("Swin", swin, 224), ("ConvNext", {}, 128), ("ResNet", {}, 128)):
        heads = settings | {"num_labels": 5}
        yield _transformers(f"{name}ForImageClassification", f"{name}Config", _CLASSES, heads, size=size)
    yield _torchgeo("ClassificationTask", _CLASSES, {"model": "resnet18", "num_classes": 5})
    yield _torchgeo("RegressionTask", "image-regression", {"model": "resnet18", "num_outputs": 2})


_SMALL = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128}
_VIT = _SMALL | {"image_size": 128, "patch_size": 16}
_DPT = _VIT | {
    "backbone_out_indices": [0, 1, 2],
    "neck_hidden_sizes": [16, 16, 16],
    "reassemble_factors": [2, 1, 0.5],
}
_YOLOS = _SMALL | {"image_size": [128, 128], "num_labels": 7, "num_detection_tokens": 20}
_DETR = {
    "use_timm_backbone": False,
    "use_pretrained_backbone": False,
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "num_queries": 20,
    "num_labels": 7,
}
_SIDES = {"min_size": 160, "max_size": 160}
"""Torchvision's are 800, which shows nothing more."""


def _found(loud: tuple[str, ...], *, classes: int = 7, sides: dict[str, int] = _SIDES, **more: Any) -> dict[str, Any]:
    """What a row of torchvision's detectors has beside its name."""
    options = {"num_classes": classes, **sides}
    return {
        "options": options,
        "loud": loud,
        "normalize": False,
        "takes_list": True,
        "answers": "{threshold: 0.2}",
        **more,
    }


def _torchvision(name: str, task: str, *, options: dict[str, Any], **more: Any) -> Row:
    def make() -> nn.Module:
        import torchvision

        return torchvision.models.get_model(name, weights=None, weights_backbone=None, **options)

    return Row(f"torchvision {name}", make, task, **more)


def _smp(name: str, encoder: str = "resnet18", **more: Any) -> Row:
    def make() -> nn.Module:
        import segmentation_models_pytorch as smp

        return getattr(smp, name)(encoder, encoder_weights=None, classes=5)

    return Row(f"segmentation_models_pytorch {name}, {encoder}", make, _SEGMENTATION, **more)


def _timm(name: str, **more: Any) -> Row:
    def make() -> nn.Module:
        import timm

        return timm.create_model(name, pretrained=False, num_classes=0)

    return Row(f"timm {name}", make, _VECTORS, **more)


def _transformers(name: str, config: str, task: str, settings: dict[str, Any], **more: Any) -> Row:
    def make() -> nn.Module:
        import transformers

        return getattr(transformers, name)(getattr(transformers, config)(**settings))

    return Row(f"transformers {name}", make, task, **more)


def _torchgeo(name: str, task: str, settings: dict[str, Any], **more: Any) -> Row:
    def make() -> nn.Module:
        from torchgeo import trainers

        return getattr(trainers, name)(in_channels=3, **settings)

    return Row(f"torchgeo {name}", make, task, **more)


def _anomalib(name: str, settings: dict[str, Any], **more: Any) -> Row:
    def make() -> nn.Module:
        from anomalib import models

        return getattr(models, name)(**settings, evaluator=False, visualizer=False)

    return Row(f"anomalib {name}", make, _ANOMALIES, normalize=False, answers="{threshold: 0.5}", **more)
