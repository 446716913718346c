"""Which architectures export, with a dynamic batch and proven parity: a table over many, or an honest refusal.

    uv run --with timm python benchmarks/architectures.py              # about 20 minutes on two cores
    uv run --with timm python benchmarks/architectures.py resnet18 vit_b_16 timm:convnext_atto

Weights are random. Batch-norm statistics are those of a pass over noise, perturbed: the answers then depend on the
input, and a folded or forgotten statistic shows. Each model is wrapped in a LightningModule and goes through
`lit_export.export`, which compares the final file, opened by the runtime, with the eager module on batches of 1, 2, 3
and 8 and on image files. `spread` is what any one probability varies by among the inputs: a difference
has to be small against that.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn

from lit_export import Options, export
from lit_export.tasks.images import image_noise
from lit_infer.errors import LitError

SIZE = 224
_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
_HIDES = 1e-3
_SPEC = """\
task: image-classification
preprocess:
  - resize: {{size: {size}}}
  - center_crop: {{size: {size}}}
normalize: {{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}
"""

TORCHVISION = (
    *("alexnet", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "squeezenet1_1"),
    *("densenet121", "inception_v3", "googlenet", "shufflenet_v2_x1_0", "mobilenet_v2", "mobilenet_v3_small"),
    *("mobilenet_v3_large", "mnasnet0_5", "efficientnet_b0", "efficientnet_v2_s", "regnet_y_400mf", "regnet_x_400mf"),
    *("convnext_tiny", "vit_b_16", "swin_t", "swin_v2_t", "maxvit_t"),
)
TIMM = (
    *("mixer_s32_224", "deit_tiny_patch16_224", "convnext_atto", "convnextv2_atto", "mobilevit_xxs", "mobilevitv2_050"),
    *("efficientformer_l1", "efficientvit_b0", "edgenext_xx_small", "ghostnet_100", "tinynet_e", "lcnet_050"),
    *("mobileone_s0", "repvgg_a0", "resnest14d", "res2net50_26w_4s", "ecaresnet26t", "dla34", "hrnet_w18_small"),
    *("levit_128s", "poolformer_s12", "pit_ti_224", "cait_xxs24_224", "crossvit_tiny_240", "coatnet_nano_rw_224"),
    *("xcit_nano_12_p16_224", "fastvit_t8", "tf_efficientnetv2_b0", "rexnet_100", "hardcorenas_a", "seresnet18"),
)
_SIZES = {"inception_v3": 299, "crossvit_tiny_240": 240, "swin_v2_t": 256, "mobilevit_xxs": 256, "mobilevitv2_050": 256}
_SIZES |= {"edgenext_xx_small": 256, "fastvit_t8": 256}


class Wrapped(pl.LightningModule):
    """As a user wraps a library's network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        return self.network(images)


def perturbed(network: nn.Module, size: int) -> nn.Module:
    """Batch-norm statistics as after training on something: neither zero means nor unit variances."""
    generator = torch.Generator().manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.Linear) and not part.weight.any():  # a head that starts at zero answers nothing yet
            nn.init.normal_(part.weight, std=0.02, generator=generator)
    with torch.no_grad():
        for parameter in network.parameters():
            if 0 < float(parameter.abs().max()) < _HIDES:  # a layer scale that starts at 1e-5 hides all of its block
                parameter.fill_(0.1)
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    for part in norms:
        part.momentum = 1.0  # the statistics of the one batch that follows
    with torch.no_grad():
        noise = image_noise(np.random.default_rng(1), 8, (size, size, 3)) / np.float32(255)
        network.train()(torch.from_numpy((noise - _MEAN) / _STD).permute(0, 3, 1, 2).float())
    for part in norms:
        if part.running_mean is not None:
            part.running_mean.mul_(torch.empty_like(part.running_mean).uniform_(0.9, 1.1, generator=generator))
            part.running_var.mul_(torch.empty_like(part.running_var).uniform_(0.8, 1.25, generator=generator))
    return network.eval()


def networks(names: list[str]) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    """Names, and how to make each network with random weights."""
    import torchvision

    for name in names or [*TORCHVISION, *(f"timm:{name}" for name in TIMM)]:
        if name.startswith("timm:"):
            yield name, lambda name=name: _timm(name.removeprefix("timm:"))
        else:
            options: dict[str, Any] = {"init_weights": True} if name in ("inception_v3", "googlenet") else {}
            yield name, lambda name=name, options=options: torchvision.models.get_model(name, weights=None, **options)


def _timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, pretrained=False)


def main() -> None:
    """Export each, print a row as it comes, and exit 1 if one is neither proven nor refused with a reason."""
    print("| architecture | parameters | onnx | max diff | spread | top-1 | exporter | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    exported = refused = 0
    for name, make in networks(sys.argv[1:]):
        torch.manual_seed(0)
        row, is_exported = _row(name, make)
        print(row, flush=True)
        exported, refused = exported + is_exported, refused + (not is_exported)
    print(f"\n{exported} exported, {refused} refused")


def _row(name: str, make: Callable[[], nn.Module]) -> tuple[str, bool]:
    started = time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="lit-architectures-"))
    try:
        size = _SIZES.get(name.removeprefix("timm:"), SIZE)
        module = Wrapped(perturbed(make(), size))
        count = sum(parameter.numel() for parameter in module.parameters())
        (folder / "spec.yaml").write_text(_SPEC.format(size=size))
        options = Options(spec=folder / "spec.yaml", publish=False)
        bundle = export(module, ["onnx"], out=folder / "bundle", options=options)
        graph, spread = bundle.attempted[0], _spread(bundle.folder)
    except LitError as error:
        return f"| {name} | | refused | | | | {error} | |", False
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.perf_counter() - started
    if graph.parity is None:
        return f"| {name} | {count / 1e6:.1f} M | refused | | | | {graph.reason} | {seconds:.0f} |", False
    agreement = graph.parity.agreement
    word, agreed = ("compared", "") if agreement is None else ("proven", f"{agreement:.0%}")
    parity = f"{graph.parity.max_abs:.1e} | {spread:.1e} | {agreed}"
    return f"| {name} | {count / 1e6:.1f} M | {word} | {parity} | {graph.exporter} | {seconds:.0f} |", True


def _spread(bundle: Path | None) -> float:
    """What any one probability varies by among the golden inputs."""
    if bundle is None:
        return 0.0
    return float(np.ptp(np.load(bundle / "golden.npz")["probabilities"], axis=0).max())


if __name__ == "__main__":
    main()
