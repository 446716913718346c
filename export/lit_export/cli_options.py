"""The options of `lit-export FORMAT`, as typer reads them. All formats take the same."""

from pathlib import Path
from typing import Annotated

import typer

Many = list[str] | None

Artifact = Annotated[
    str | None,
    typer.Option(
        "--artifact", "-a", metavar="REFERENCE", help="The checkpoint's reference: entity/project/name:alias."
    ),
]
CheckpointPath = Annotated[
    str | None,
    typer.Option("--checkpoint", "-c", metavar="FILE|URL", help="The checkpoint's path or URL (https, s3, gs)."),
]
ClassPath = Annotated[
    str | None,
    typer.Option(
        "--class",
        metavar="PKG.MOD:CLS",
        help="The LightningModule's class; it is imported, from the current folder too. Not needed for lit_trainer's.",
    ),
]
Trust = Annotated[
    Many,
    typer.Option("--trust-package", metavar="PKG", help="A package whose classes the checkpoint may name. Repeatable."),
]
Hparam = Annotated[
    Many,
    typer.Option(
        "--hparam", metavar="KEY=VALUE", help="For the module's __init__, over the recorded ones. Repeatable."
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="YAML that says how to build the module: LightningCLI's saved config.yaml, or Hydra's .hydra/config.yaml. "
        "What it names is imported and run.",
    ),
]
ConfigKey = Annotated[
    str | None, typer.Option("--config-key", metavar="KEY", help="Where the module is in --config. Else: model.")
]
Factory = Annotated[
    str | None,
    typer.Option(
        "--factory",
        metavar="PKG.MOD:MAKE",
        help="A function that returns the module; it gets the recorded hparams it takes. Alone, without a checkpoint: "
        "the module with its own weights.",
    ),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        "--adapter",
        metavar="PKG.MOD:WRAP",
        help="A module class or function put around the loaded module: its forward is exported.",
    ),
]
UseLoadFromCheckpoint = Annotated[
    bool,
    typer.Option(
        "--use-load-from-checkpoint",
        help="Call the class's own load_from_checkpoint. It runs what the file names: only for files you trust.",
    ),
]
IgnoreKeys = Annotated[
    Many,
    typer.Option(
        "--ignore-keys", metavar="PATTERN", help="Keys of the weights to leave out, as in 'criterion.*'. Repeatable."
    ),
]
Strict = Annotated[
    str, typer.Option(metavar="true|false", help="false: load the weights that fit, and say which do not.")
]
Submodule = Annotated[
    str | None, typer.Option(metavar="PATH", help="Export this part of the module, as in encoder.backbone.")
]
Weights = Annotated[
    str | None, typer.Option(metavar="ema|model", help="Which weights, where the checkpoint holds both.")
]
Spec = Annotated[
    str | None,
    typer.Option(
        "--spec",
        metavar="FILE",
        help="YAML: task, preprocess, normalize, labels; or torchvision:ResNet18_Weights.IMAGENET1K_V1. "
        "Else the checkpoint's own, else a bare tensor graph.",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="FILE|PKG.MOD:NAME",
        help="The columns of a table: YAML, or a fitted transformer of scikit-learn, which they are read off.",
    ),
]
TokenizerPath = Annotated[
    Path | None,
    typer.Option(
        "--tokenizer", metavar="FOLDER|FILE", help="The tokenizer.json of a model of texts; it goes into the bundle."
    ),
]
Outputs = Annotated[
    str | None,
    typer.Option(
        "--outputs",
        metavar="NAME=OUTPUT",
        help="Which of the module's outputs is which, and its form: scores=species, embedding=0.pooler_output, "
        "boxes=pred_boxes:cxcywh:relative,scores=logits:sigmoid. Else found by name and shape, and said.",
    ),
]
Precision_ = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAMES",
        help="fp32, fp16, bf16, int8; several with commas. Inputs and outputs stay what they are.",
    ),
]
Input = Annotated[
    Many,
    typer.Option(
        "--input",
        metavar="SHAPE",
        help="[name=]3x224x224[:dtype[:low..high]], without the batch, for a bare tensor graph. Repeatable.",
    ),
]
StaticBatch = Annotated[int | None, typer.Option(min=1, help="Freeze the batch at this size. Else any batch.")]
BatchAxis = Annotated[
    str | None,
    typer.Option(
        "--batch-axis",
        metavar="INPUT=AXIS",
        help="Which side is the batch, where that is not found: state=1,support=none; none for a module without one.",
    ),
]
Dynamic = Annotated[
    str | None,
    typer.Option(metavar="SIDES", help="More dynamic sides, with commas: height,width or NAME=AXIS, as in length=1."),
]
Opset = Annotated[int, typer.Option(help="The ONNX opset; the export fails if the file has another.")]
Int8Keep = Annotated[
    Many,
    typer.Option(
        "--int8-keep", metavar="PATTERN", help="Node, operator or pattern that int8 leaves in float. Repeatable."
    ),
]
DataModule = Annotated[
    str | None,
    typer.Option(
        "--data-module",
        metavar="PKG.MOD:DATA",
        help="A LightningDataModule, or a function that returns one: compare on its validation batches.",
    ),
]
BatchToInputs = Annotated[
    str | None,
    typer.Option(
        "--batch-to-inputs",
        metavar="PKG.MOD:FN",
        help="From a batch to forward's arguments. Else as the module's validation_step calls it.",
    ),
]
InputFile = Annotated[
    Path | None, typer.Option("--inputs", metavar="FILE.npz", help="Real inputs by argument name, to compare on.")
]
AcceptUnexercised = Annotated[
    bool,
    typer.Option(
        "--accept-unexercised", help="Keep a graph with a branch frozen in it that the inputs never took. Recorded."
    ),
]
Transform = Annotated[
    str | None,
    typer.Option(
        "--transform",
        metavar="PKG.MOD:NAME",
        help="Training's evaluation transform, or a function that returns it: the preprocessing is read off it, and "
        "proven against it. --data-module's own is taken where that has one.",
    ),
]
AllowPixelDifference = Annotated[
    str,
    typer.Option(
        metavar="SHARE", help="How far a pixel may be from --transform's, as in 1/255. Recorded in the bundle."
    ),
]
Prepare = Annotated[
    str | None,
    typer.Option(
        "--prepare",
        metavar="PKG.MOD:FN",
        help="Training's own code from a row (a dict, or a recording's path) to the module's inputs, to compare with.",
    ),
]
TableRows = Annotated[
    Path | None,
    typer.Option(
        "--rows",
        metavar="FILE",
        help="Rows to compare on: .csv, .jsonl, .parquet; or a folder of recordings. Else made up.",
    ),
]
Images = Annotated[Path | None, typer.Option(help="Images to compare on. Else seeded noise.")]
Calibration = Annotated[
    Path | None, typer.Option(help="Images, or a training configuration, for int8; at least 128 images.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Labelled images (a folder per class, or beside them metadata.csv, masks/ or COCO's annotations.json), "
        "labelled rows with --target, or a training configuration: measure each graph's score."
    ),
]
TargetColumns = Annotated[
    str | None,
    typer.Option("--target", metavar="NAMES", help="Of labelled rows: the column of --data that has the truth."),
]
ThresholdsFrom = Annotated[
    Path | None,
    typer.Option(
        "--thresholds-from",
        help="Labelled images (metadata.csv beside them) or a training configuration: for each label of a multi-label "
        "model, choose the threshold with the best F1.",
    ),
]
MaxDrop = Annotated[float, typer.Option(help="The score that a graph may lose on --data, 0 to 1.")]
Atol = Annotated[
    float | None, typer.Option(help="Tolerance: this share of the largest answer. Else the precision's own.")
]
Rtol = Annotated[float | None, typer.Option(help="Tolerance: this share of each answer. Else the precision's own.")]
KeepAnyway = Annotated[bool, typer.Option("--keep-anyway", help="Keep int8 even where it is not faster here.")]
Aot = Annotated[bool, typer.Option("--aot", help="With pt2: also pack a native library for this kind of host.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The bundle's folder. Else one below artifacts/bundles/.")
]
Name = Annotated[str | None, typer.Option("--name", help="What the bundle is called. Else as the checkpoint.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the trace of an error in the module's own code.")]
License = Annotated[str | None, typer.Option(help="The weights' licence, for the model card: an SPDX identifier.")]
TimeLimit = Annotated[float, typer.Option(min=1, help="Seconds for each format, where there are several.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")]
