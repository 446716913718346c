"""Which vision modules of other projects are exported in the task that a user would want: proven, or why not.

    uv pip install --no-deps --target F transformers huggingface-hub regex safetensors segmentation-models-pytorch timm
    PYTHONPATH=F python benchmarks/vision.py                       # about 30 minutes on two cores
    PYTHONPATH=F python benchmarks/vision.py deeplab yolos         # the rows whose names have one of these in them

Weights are random, with batch-norm statistics as after training; the last layers of detectors are scaled up until they
find boxes, without which nothing would be compared. Each module is wrapped in a LightningModule and goes through
`lit_export.export`, which compares the final file, opened by the runtime, with the eager module. Then the bundle
predicts three JPEGs of odd sizes, one by one and together, and the answers have to be the same.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image
from torch import nn

import lit_infer
from lit_export import Options, export
from lit_export.tasks.images import image_noise
from lit_infer.errors import LitError

_NORMALIZE = "normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}"


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
    batch: int | None = None
    """The only batch size that the module takes."""
    loud: tuple[str, ...] = ()
    """Parts whose weights are scaled up: a detector with random ones is sure of nothing."""


class Wrapped(pl.LightningModule):
    """As a user wraps a library's network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Any) -> Any:
        """Whatever it answers."""
        return self.network(images)


class InList(Wrapped):
    """torchvision's detectors take a list of images."""

    def forward(self, images: Any) -> Any:
        """A dict for each image."""
        return self.network(list(images))


def _torchvision(name: str, task: str, *, classes: int | None = None, loud: tuple[str, ...] = (), **more: Any) -> Row:
    def make() -> nn.Module:
        import torchvision

        options: dict[str, Any] = {} if classes is None else {"num_classes": classes}
        if loud and not name.startswith("ssd"):
            options |= {"min_size": 160, "max_size": 160}  # theirs is 800, which shows nothing more
        return torchvision.models.get_model(name, weights=None, weights_backbone=None, **options)

    return Row(f"torchvision {name}", make, task, loud=loud, **more)


def _smp(name: str, encoder: str = "resnet18", **more: Any) -> Row:
    def make() -> nn.Module:
        import segmentation_models_pytorch as smp

        return getattr(smp, name)(encoder, encoder_weights=None, classes=5)

    return Row(f"segmentation_models_pytorch {name}, {encoder}", make, "image-segmentation", **more)


def _timm(name: str, task: str, **more: Any) -> Row:
    def make() -> nn.Module:
        import timm

        return timm.create_model(name, pretrained=False, **({"num_classes": 0} if task == "image-embedding" else {}))

    return Row(f"timm {name}", make, task, **more)


def _transformers(name: str, config: str, task: str, settings: dict[str, Any] | None = None, **more: Any) -> Row:
    def make() -> nn.Module:
        import transformers

        return getattr(transformers, name)(getattr(transformers, config)(**(settings or {})))

    return Row(f"transformers {name}", make, task, **more)


_SMALL = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128}
_VIT = {**_SMALL, "image_size": 128, "patch_size": 16}
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


def rows() -> Iterator[Row]:
    """All of them, by task."""
    seg, box, vec, cls = "image-segmentation", "object-detection", "image-embedding", "image-classification"
    for name in ("fcn_resnet50", "deeplabv3_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
        yield _torchvision(name, seg, classes=5)
    for name in ("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "PAN", "DeepLabV3", "DeepLabV3Plus"):
        yield _smp(name)
    yield _smp("UPerNet")
    yield _smp("Segformer", "mit_b0")
    yield _smp("DPT", "tu-vit_tiny_patch16_224", size=224)
    yield _smp("Unet", "mobilenet_v2")
    yield _transformers("SegformerForSemanticSegmentation", "SegformerConfig", seg, {"num_labels": 5})
    yield _transformers(
        "MobileViTForSemanticSegmentation", "MobileViTConfig", seg, {"num_labels": 5, "image_size": 128}
    )
    yield _transformers("MobileNetV2ForSemanticSegmentation", "MobileNetV2Config", seg, {"num_labels": 5})
    yield _transformers(
        "DPTForSemanticSegmentation",
        "DPTConfig",
        seg,
        {
            **_VIT,
            "num_labels": 5,
            "backbone_out_indices": [0, 1, 2],
            "neck_hidden_sizes": [16, 16, 16],
            "reassemble_factors": [2, 1, 0.5],
            "num_hidden_layers": 3,
        },
    )
    yield _transformers(
        "BeitForSemanticSegmentation",
        "BeitConfig",
        seg,
        {
            **_SMALL,
            "num_hidden_layers": 4,
            "image_size": 128,
            "num_labels": 5,
            "out_indices": [1, 2, 3, 4],
            "use_auxiliary_head": False,
        },
    )
    yield _transformers("UperNetForSemanticSegmentation", "UperNetConfig", seg, {"num_labels": 5})
    yield _transformers("Mask2FormerForUniversalSegmentation", "Mask2FormerConfig", seg, {"num_labels": 5})
    yield _transformers("MaskFormerForInstanceSegmentation", "MaskFormerConfig", seg, {"num_labels": 5})

    found = {"answers": "{threshold: 0.2}"}
    yield _torchvision(
        "fcos_resnet50_fpn", box, normalize=False, classes=7, loud=("cls_logits", "bbox_ctrness"), **found
    )
    yield _torchvision("retinanet_resnet50_fpn", box, normalize=False, classes=7, loud=("cls_logits",), **found)
    yield _torchvision("retinanet_resnet50_fpn_v2", box, normalize=False, classes=7, loud=("cls_logits",), **found)
    yield _torchvision("ssd300_vgg16", box, normalize=False, classes=7, loud=("classification_head",), **found)
    yield _torchvision(
        "ssdlite320_mobilenet_v3_large", box, normalize=False, classes=7, loud=("classification_head",), **found
    )
    for name in ("fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "fasterrcnn_mobilenet_v3_large_320_fpn"):
        yield _torchvision(name, box, normalize=False, classes=7, loud=("cls_score", "cls_logits"), **found)
    yield _torchvision(
        "maskrcnn_resnet50_fpn",
        "instance-segmentation",
        normalize=False,
        classes=7,
        loud=("cls_score", "cls_logits", "mask_predictor"),
        **found,
    )
    yield _torchvision(
        "keypointrcnn_resnet50_fpn",
        box,  # its points are those of any number of things
        normalize=False,
        loud=("cls_score", "cls_logits"),
        **found,
    )
    softmax = "{scores: softmax, threshold: 0.2}"
    sigmoid = "{scores: sigmoid, threshold: 0.2}"
    yield _transformers("DetrForObjectDetection", "DetrConfig", box, _DETR, answers=softmax, loud=("class_labels",))
    yield _transformers(
        "ConditionalDetrForObjectDetection",
        "ConditionalDetrConfig",
        box,
        _DETR,
        answers=sigmoid,
        loud=("class_labels",),
    )
    yield _transformers(
        "DabDetrForObjectDetection",
        "DabDetrConfig",
        box,
        {**_DETR, "hidden_size": 64},
        answers=sigmoid,
        loud=("class_embed",),
    )
    yield _transformers(
        "DeformableDetrForObjectDetection", "DeformableDetrConfig", box, _DETR, answers=sigmoid, loud=("class_embed",)
    )
    yield _transformers(
        "TableTransformerForObjectDetection",
        "TableTransformerConfig",
        box,
        _DETR,
        answers=softmax,
        loud=("class_labels",),
    )
    yield _transformers(
        "YolosForObjectDetection",
        "YolosConfig",
        box,
        {**_SMALL, "image_size": [128, 128], "num_labels": 7, "num_detection_tokens": 20},
        answers=softmax,
        loud=("class_labels",),
    )
    yield _transformers(
        "RTDetrForObjectDetection",
        "RTDetrConfig",
        box,
        {"num_labels": 7, "num_queries": 30},
        answers=sigmoid,
        loud=("class_embed", "enc_score_head"),
    )

    yield _transformers(
        "DPTForDepthEstimation",
        "DPTConfig",
        "image-to-image",
        {
            **_VIT,
            "backbone_out_indices": [0, 1, 2],
            "neck_hidden_sizes": [16, 16, 16],
            "reassemble_factors": [2, 1, 0.5],
            "num_hidden_layers": 3,
        },
        answers="{range: values}",
    )
    yield _transformers("GLPNForDepthEstimation", "GLPNConfig", "image-to-image", {}, answers="{range: values}")
    yield _transformers(
        "Swin2SRForImageSuperResolution",
        "Swin2SRConfig",
        "image-to-image",
        {"image_size": 64, "embed_dim": 32, "depths": [2, 2], "num_heads": [2, 2]},
        size=64,
        normalize=False,
    )

    yield _timm("resnet18", vec)
    yield _timm("vit_tiny_patch16_224", vec, size=224)
    yield _timm("convnext_atto", vec)
    yield _transformers("ViTModel", "ViTConfig", vec, _VIT)
    yield _transformers("Dinov2Model", "Dinov2Config", vec, {**_SMALL, "image_size": 126, "patch_size": 14}, size=126)
    yield _transformers("CLIPVisionModelWithProjection", "CLIPVisionConfig", vec, {**_VIT, "projection_dim": 32})
    yield _transformers("SiglipVisionModel", "SiglipVisionConfig", vec, _VIT)
    yield _transformers("ViTForImageClassification", "ViTConfig", cls, {**_VIT, "num_labels": 5})
    yield _transformers(
        "SwinForImageClassification",
        "SwinConfig",
        cls,
        {"image_size": 224, "embed_dim": 32, "depths": [1, 1], "num_heads": [2, 4], "num_labels": 5},
        size=224,
    )
    yield _transformers("ConvNextForImageClassification", "ConvNextConfig", cls, {"num_labels": 5})
    yield _transformers("ResNetForImageClassification", "ResNetConfig", cls, {"num_labels": 5})


def lively(network: nn.Module, row: Row) -> nn.Module:
    """Statistics and weights as after training on something, so that answers vary with the image."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if 0 < float(parameter.abs().max()) < 1e-3:
                parameter.fill_(0.1)
            if any(part in name for part in row.loud):
                if parameter.ndim > 1:
                    parameter.normal_(std=4 / parameter[0].numel() ** 0.5, generator=generator)
                else:
                    parameter.zero_()
        for part in network.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
                part.running_mean.normal_(std=0.2, generator=generator)
                part.running_var.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def photos(folder: Path) -> list[Path]:
    """Three pictures of odd sizes."""
    folder.mkdir()
    made = []
    for number, (width, height) in enumerate(((211, 160), (97, 143), (333, 257))):
        values = image_noise(np.random.default_rng(number), 1, (height, width, 3))[0]
        made.append(folder / f"{number}.jpg")
        Image.fromarray(values.astype(np.uint8)).save(made[-1])
    return made


def main() -> None:
    """A row as it comes."""
    print("| module | task | onnx | max diff | seconds | said |")
    print("|---|---|---|---|---|---|")
    counts: dict[str, int] = {}
    for row in rows():
        if sys.argv[1:] and not any(part.lower() in row.name.lower() for part in sys.argv[1:]):
            continue
        started = time.perf_counter()
        word, difference, said = outcome(row)
        counts[word] = counts.get(word, 0) + 1
        seconds = time.perf_counter() - started
        print(f"| {row.name} | {row.task} | {word} | {difference} | {seconds:.0f} | {said} |", flush=True)
    print("\n" + ", ".join(f"{count} {word}" for word, count in sorted(counts.items())))


def outcome(row: Row) -> tuple[str, str, str]:
    """`proven`, `compared`, `refused` or `WRONG`; the largest difference; and what was said."""
    folder = Path(tempfile.mkdtemp(prefix="lit-vision-"))
    torch.manual_seed(0)
    try:
        module = (InList if _takes_a_list(row) else Wrapped)(lively(row.make(), row))
        spec = [f"task: {row.task}", f"preprocess: [{{resize: {{size: [{row.size}, {row.size}]}}}}]"]
        spec += [_NORMALIZE] * row.normalize + [f"answers: {row.answers}"] * bool(row.answers)
        (folder / "spec.yaml").write_text("\n".join(spec) + "\n")
        pictures = photos(folder / "photos")
        inside = "network" if _takes_a_list(row) else None  # taken without the wrapper, as the message says
        options = Options(spec=folder / "spec.yaml", publish=False, static_batch=row.batch, submodule=inside)
        bundle = export(module, ["onnx"], out=folder / "bundle", options=options)
        graph = bundle.attempted[0]
        if graph.parity is None:
            return "refused", "", str(graph.reason)
        wrong = _apart(folder / "bundle", pictures)
        word = "WRONG" if wrong else "proven" if graph.parity.agreement is not None else "compared"
        return word, f"{graph.parity.max_abs:.1e}", wrong
    except LitError as error:
        return "refused", "", " ".join(str(error).split())
    except Exception as error:
        return "FAILED", "", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _takes_a_list(row: Row) -> bool:
    return row.name.startswith("torchvision ") and not row.normalize


def _apart(bundle: Path, pictures: list[Path]) -> str:
    """What is wrong with the predictions of pictures; empty for nothing."""
    with lit_infer.load(bundle) as model:
        together = model.predict(pictures)
        alone = [model.predict([picture])[0] for picture in pictures]
    errors = [one.error for one in (*together, *alone) if one.error]
    return errors[0] if errors else ""


if __name__ == "__main__":
    main()
