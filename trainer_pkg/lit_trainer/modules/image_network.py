"""Any network on images: one of torchvision's architectures by name, or a network of your own."""

import difflib
from typing import Any, ClassVar
from urllib.error import URLError

import torchvision
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from lit_infer.errors import UsageError
from lit_trainer.modules.optimizers import OptimizerName, SchedulerName, every_step, make_optimizer, make_scheduler
from lit_trainer.modules.small_cnn import small_cnn
from lit_trainer.modules.supervised import SupervisedModule

SMALL = "small_cnn"


class ImageNetwork(SupervisedModule):
    """`small_cnn` or a torchvision architecture, its optimizer and schedule, by name; a subclass says what it learns.

    `pretrained` starts from torchvision's weights: True for its default ones, or their name (IMAGENET1K_V2). Loading a
    checkpoint downloads nothing: the weights are in it.

    `network` (images in, outputs out) replaces `architecture`, and `criterion` (outputs and targets in, a
    scalar out) that of the built-in loss. Modules are not plain values and stay out of the hparams: load such a
    checkpoint with `load_from_checkpoint(path, network=MyNetwork())`. It can be loaded without its criterion.
    """

    derived_hparams: ClassVar[tuple[str, ...]] = ()
    """Arguments that a subclass derives from its own, and which are therefore not in the checkpoint."""

    def __init__(  # noqa: PLR0913 - a parameter is an option of the command
        self,
        architecture: str = "resnet18",
        num_classes: int = 10,
        *,
        pretrained: bool | str = False,
        optimizer: OptimizerName = "adamw",
        learning_rate: float = 1e-3,  # AdamW's own; for sgd rather 0.1, to fine-tune a tenth of either
        betas: tuple[float, float] = (0.9, 0.999),
        momentum: float = 0.9,
        weight_decay: float = 1e-2,  # AdamW's own; for sgd rather 1e-4
        scheduler: SchedulerName = "cosine",  # nothing to tune, and ends at zero
        warmup_steps: int = 0,  # optimizer steps; a few hundred for transformers and for large batches
        step_size: int = 30,  # epochs; this and gamma as in torchvision's reference training
        gamma: float = 0.1,
        label_smoothing: float = 0.0,
        criterion: nn.Module | None = None,
        network: nn.Module | None = None,
    ) -> None:
        super().__init__(num_classes)
        if criterion is not None and label_smoothing:
            raise UsageError("label_smoothing belongs to the built-in criterion; set it in your own criterion instead")
        if network is not None:
            architecture, pretrained = type(network).__name__, False  # so that the hparams record what it was
        self.save_hyperparameters(ignore=["criterion", "network", *self.derived_hparams])
        self.criterion = criterion
        self.network = self.make_network(architecture, num_classes, pretrained) if network is None else network

    @staticmethod
    def make_network(architecture: str, num_classes: int, pretrained: bool | str) -> nn.Module:
        """A network by name."""
        return make_network(architecture, num_classes, pretrained)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs float32 [batch, size] for images float32 [batch, channels, height, width], normalised."""
        outputs = self.network(images)
        logits: Tensor = getattr(outputs, "logits", outputs)  # a network of yours may return more than logits
        return logits

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The criterion, or the built-in loss; labels are smoothed in training only, so that validation compares."""
        if targets.is_floating_point() and targets.shape != outputs.shape:
            raise UsageError(
                f"the module answers {outputs.shape[-1]} values for each image, and the data has {targets.shape[-1]}: "
                "make them the same, by --model.num_classes (--model.num_values) or by the data's names"
            )
        if self.criterion is not None:
            loss: Tensor = self.criterion(outputs, targets)
            return loss
        return self.built_in_loss(outputs, targets, self.hparams["label_smoothing"] if self.training else 0.0)

    def built_in_loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """What is minimised if no criterion is given."""
        raise NotImplementedError

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer and the schedule of the hparams."""
        hparams = self.hparams
        optimizer = make_optimizer(
            self.parameters(),
            hparams["optimizer"],
            learning_rate=hparams["learning_rate"],
            betas=hparams["betas"],
            momentum=hparams["momentum"],
            weight_decay=hparams["weight_decay"],
        )
        scheduler = make_scheduler(
            optimizer,
            hparams["scheduler"],
            trainer=self.trainer,
            warmup_steps=hparams["warmup_steps"],
            step_size=hparams["step_size"],
            gamma=hparams["gamma"],
        )
        return every_step(optimizer, scheduler)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The checkpoint's weights replace the pretrained ones, which need not be downloaded again."""
        checkpoint["hyper_parameters"]["pretrained"] = False

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A criterion's own state, such as class weights, is of no use without that criterion."""
        if self.criterion is None:
            state = checkpoint["state_dict"]
            checkpoint["state_dict"] = {name: state[name] for name in state if not name.startswith("criterion.")}


def make_network(architecture: str, num_classes: int, pretrained: bool | str = False) -> nn.Module:
    """`small_cnn`, or a classification architecture of torchvision, for colour images.

    Raises UsageError, which is a ValueError, for an unknown name.
    """
    if architecture == SMALL:
        if pretrained:
            raise UsageError(f"{SMALL} has no pretrained weights")
        return small_cnn(3, num_classes)
    names = torchvision.models.list_models(module=torchvision.models)
    if architecture not in names:
        nearest = difflib.get_close_matches(architecture.lower(), names, n=3, cutoff=0.0)
        raise UsageError(
            f"torchvision has no classifier {architecture}; nearest: {', '.join(nearest)}. "
            f"{SMALL} is one of ours; a network of your own is given as a module: network"
        )
    # These two are being changed by torchvision, which warns unless told which initialisation to take.
    options = {"init_weights": False} if architecture in ("googlenet", "inception_v3") else {}
    if not pretrained:
        return _single_output(torchvision.models.get_model(architecture, num_classes=num_classes, **options))
    network = _single_output(pretrained_network(architecture, pretrained, options))
    replace_head(network, num_classes)
    return network


def replace_head(network: nn.Module, num_classes: int) -> None:
    """Replace the last layer, linear or 1x1 convolution, by one of `num_classes` outputs if it has another number."""
    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    name, old = layers[-1]
    parent, _, attribute = name.rpartition(".")
    if isinstance(old, nn.Linear) and old.out_features != num_classes:
        new: nn.Module = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
    elif isinstance(old, nn.Conv2d) and old.out_channels != num_classes:
        new = nn.Conv2d(old.in_channels, num_classes, kernel_size=1)
    else:
        return
    setattr(network.get_submodule(parent), attribute, new)


def pretrained_network(architecture: str, weights: bool | str, options: dict[str, Any]) -> nn.Module:
    """An architecture of torchvision with weights of torchvision's: True for its default ones, or their name."""
    found = list(torchvision.models.get_model_weights(architecture).__members__)
    name = "DEFAULT" if weights is True else weights
    if name not in found:
        raise UsageError(f"{architecture} has no pretrained weights {name}; there are: {', '.join(found)}")
    try:
        network: nn.Module = torchvision.models.get_model(architecture, weights=name, **options)
    except URLError as error:
        raise UsageError(
            f"cannot download the weights {name} of {architecture}: {error.reason}. Start with pretrained: false, or "
            "put torchvision's file into $TORCH_HOME/hub/checkpoints"
        ) from None
    return network


def _single_output(network: nn.Module) -> nn.Module:
    """GoogLeNet and Inception without the auxiliary outputs that they would have in training only.

    Both then take images normalised as for all others, whether they began pretrained or not.
    """
    if isinstance(network, torchvision.models.GoogLeNet | torchvision.models.Inception3):
        network.transform_input, network.aux_logits = True, False
        for name in {"aux1", "aux2", "AuxLogits"} & dict(network.named_children()).keys():
            setattr(network, name, None)
    return network
