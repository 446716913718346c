"""What can be asked of an export: one frozen record, with a reason for each default."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lit_infer.errors import UsageError
from lit_infer.manifest import Precision

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The choices of `export`, beside what is exported, to which formats and where to."""

    # From the checkpoint to the module
    class_path: str | None = None
    """`pkg.mod:Cls` of the LightningModule; it is imported. lit_trainer's own classes need none."""
    trust: tuple[str, ...] = ()
    """Packages whose classes a checkpoint may name."""
    hparams: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the module's `__init__`, over those that the checkpoint recorded."""
    config: Path | None = None
    """A YAML file that says how to build the module: LightningCLI's saved `config.yaml`, or Hydra's."""
    config_key: str | None = None
    """The dotted key of the module in `config`; None: `model`, where there is one."""
    factory: str | None = None
    """`pkg.mod:make`, a function that returns the module; it gets the plain hparams if it takes arguments."""
    adapter: str | None = None
    """`pkg.mod:Wrap`, a module class or a function put around the loaded module: its `forward` is exported."""
    use_load_from_checkpoint: bool = False
    """Call the class's own `load_from_checkpoint`, which may run what the file names: only for trusted files."""
    ignore_keys: tuple[str, ...] = ()
    """Patterns of keys of the state_dict to leave out, as in `criterion.*`."""
    strict: bool = True
    """False: keys that the file lacks stay as the class made them, and keys that the class lacks are left out."""
    submodule: str | None = None
    """Attribute path of the part to export, as in `encoder.backbone`."""
    weights: Literal["model", "ema"] | None = None
    """Which weights, where a checkpoint holds both; None: those in its `state_dict`."""
    spec: str | Path | None = None
    """A YAML file of deployment facts, or `torchvision:<Model>_Weights.<NAME>`."""

    columns: str | None = None
    """A YAML file of a table's columns, or `pkg.mod:NAME` of a fitted transformer of scikit-learn."""

    tokenizer: Path | None = None
    """A `tokenizer.json`, or a folder of Hugging Face's with one; it goes into the bundle."""

    outputs: str | None = None
    """Which of the module's outputs is which: `boxes=pred_boxes:cxcywh:relative,scores=logits`; over the facts' own."""

    # The graph
    precisions: tuple[Precision, ...] = ("fp32",)
    inputs: tuple[str, ...] = ()
    """For task tensor: `[name=]3x224x224[:dtype[:low..high]]`, a shape without its batch."""
    static_batch: int | None = None
    """Freeze the batch at this size; None: any batch."""
    batch_axis: tuple[str, ...] = ()
    """Which side is the batch, where that is not found: `state=1`; `support=none`, `none` for inputs without one."""
    dynamic: tuple[str, ...] = ()
    """More dynamic sides: `height`, `width`, `name=axis`, `name=input.axis`."""
    opset: int = 20
    """Of ONNX; 20 is the newest that every pinned tool here reads and writes."""
    int8_keep: tuple[str, ...] = ()
    """Nodes, operators or patterns that int8 leaves in float."""

    # The proof
    data_module: str | None = None
    """`pkg.mod:Data`, a LightningDataModule or a function that returns one: its validation batches are compared on."""
    batch_to_inputs: str | None = None
    """`pkg.mod:fn` from a batch to the arguments of `forward`; None: as the module's `validation_step` calls it."""
    input_file: Path | None = None
    """An `.npz` of real inputs by argument name, rows first."""
    accept_unexercised: bool = False
    """Keep a graph that has a branch frozen which the inputs of the proof never took."""
    transform: str | None = None
    """`pkg.mod:NAME` of training's evaluation transform: facts are read off it where none are given, and pixels are
    compared with it."""
    allow_pixel_difference: float = 0.0
    """How far a pixel may be from the transform's, as a share of the range that values are scaled to."""
    prepare: str | None = None
    """`pkg.mod:fn`, training's own code from a row, or a recording's path, to the module's inputs, to compare with."""
    table_rows: Path | None = None
    """A file of rows, or recordings, to compare on; None: made-up ones."""
    images: Path | None = None
    """Image files to compare on; None: seeded noise written as image files."""
    calibration: Path | None = None
    """A folder of images, or a training configuration, whose images int8 is calibrated on."""
    data: Path | None = None
    """Labelled images (a folder per class) or a training configuration: the score of each graph is measured."""
    target: tuple[str, ...] = ()
    """Of labelled rows: the columns of `data` that have the truth."""
    thresholds_from: Path | None = None
    """Labelled images on which the thresholds of labels are chosen that have the best F1."""
    max_drop: float = 0.005
    """How much of the eager module's score a graph may lose on `data`: half a point."""
    atol: float | None = None
    rtol: float | None = None
    """Other tolerances than those of `lit_infer.proof.TOLERANCES`."""
    keep_anyway: bool = False
    """Keep an int8 graph that is not faster here."""

    # The record
    name: str | None = None
    """What the bundle is called; None: as the checkpoint."""
    license: str | None = None
    command: str = "lit_export.export()"
    debug: bool = False
    """Show the trace of an error in the user's own code."""
    publish: bool = True
    """Publish the bundle next to its checkpoint, if that came from a registry."""
    time_limit: float = 1800.0
    """Seconds for one format, where each has a process of its own (`export_isolated`)."""

    def __post_init__(self) -> None:
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise UsageError(f"--name {self.name!r}: use letters, digits, '.', '_' and '-', as in digits-cnn")
        if self.static_batch is not None and self.static_batch < 1:
            raise UsageError(f"--static-batch {self.static_batch}: expected at least 1")
        if not 7 <= self.opset <= 30:
            raise UsageError(f"--opset {self.opset}: expected an ONNX opset from 7 to 30")
        if not 0 <= self.max_drop <= 1:
            raise UsageError(f"--max-drop {self.max_drop}: expected a share of the score, 0 to 1")
        if not 0 <= self.allow_pixel_difference <= 1:
            raise UsageError(
                f"--allow-pixel-difference {self.allow_pixel_difference}: expected a share of the range, as in 1/255"
            )
        real = (self.calibration, self.input_file, self.data_module, self.config, self.target, self.data)
        if "int8" in self.precisions and not any(real):
            raise UsageError(
                "--precision int8 needs --calibration FOLDER: at least 128 images like those of production; or, for a "
                "bare tensor graph, real inputs: --inputs FILE.npz or --data-module PKG.MOD:DATA; or, for rows, "
                "labelled ones: --data FILE --target NAME"
            )
