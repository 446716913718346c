"""The rows of the table: a checkpoint, and the command lines in the order in which a user comes to them.

The first is what the documentation says to try; the next is what the message of the one before says to do.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Maker:
    """A script in makers/ that writes checkpoints, and where it runs."""

    script: str
    environment: str
    imports: tuple[str, ...]
    """What takes long to import, and is imported once for all commands."""


@dataclass(frozen=True)
class Row:
    """One checkpoint; `attempts` are what follows `lit-export onnx --checkpoint NAME.ckpt`."""

    name: str
    maker: Maker
    attempts: tuple[str, ...]


FORECASTING = Maker("pytorch_forecasting_models.py", "forecasting", ("pytorch_forecasting",))
DARTS = Maker("darts_models.py", "forecasting", ("darts.models",))
NEURALFORECAST = Maker("neuralforecast_models.py", "forecasting", ("neuralforecast",))
NEURALFORECAST_SAVE = Maker("neuralforecast_models.py", "older", ("neuralforecast",))
TABULAR = Maker("pytorch_tabular_models.py", "forecasting", ("pytorch_tabular",))
CHEMPROP = Maker("chemprop_models.py", "forecasting", ("chemprop",))
PYANNOTE = Maker("pyannote_models.py", "forecasting", ("pyannote.audio",))
DEEPTAB = Maker("deeptab_models.py", "older", ("deeptab",))
PROJECTS = Maker("projects.py", "wrapped", ("hydra", "lightning.pytorch.cli"))
WRAPPED = Maker("wrapped_models.py", "wrapped", ("segmentation_models_pytorch", "transformers", "torchgeo.trainers"))


def _forecasting(name: str, cls: str) -> Row:
    name = f"pytorch-forecasting-{name}"
    command = f"--class pytorch_forecasting:{cls} --inputs {name}.npz"
    loaded = f"{command} --use-load-from-checkpoint"
    always = "--input encoder_lengths=:int64:24..24 --input decoder_lengths=:int64:6..6"
    return Row(name, FORECASTING, (command, loaded, f"{loaded} {always}"))


def _darts(name: str, cls: str) -> Row:
    name = f"darts-{name}"
    return Row(name, DARTS, (f"--class darts.models.forecasting.{cls} --inputs {name}.npz",))


def _neuralforecast(name: str, cls: str, maker: Maker = NEURALFORECAST, *, adapter: str = "Windows") -> Row:
    make = name.removeprefix("save-")
    inputs = f"--inputs neuralforecast-{name}.npz"
    plain = f"--class neuralforecast.models:{cls} {inputs}"
    factory = f"--factory neuralforecast_user:{make} {inputs}"
    adapted = f"{factory} --adapter neuralforecast_user:{adapter}" if adapter else factory
    attempts = (plain, factory, adapted, f"{adapted} --input insample_mask=24x1:float32:0..1")
    return Row(f"neuralforecast-{name}", maker, tuple(dict.fromkeys(attempts)))


def _tabular(name: str, cls: str, without: str = "") -> Row:
    name = f"pytorch-tabular-{name}"
    plain = f"--class pytorch_tabular.models:{cls} --inputs {name}.npz"
    made = f"--factory pytorch_tabular_user:make --inputs {name}.npz"
    return Row(name, TABULAR, (plain, made, *([f"{made} --hparam {without}=false"] if without else ())))


def _chemprop(name: str, adapter: str) -> Row:
    name = f"chemprop-{name}"
    plain = f"--class chemprop.models:MPNN --inputs {name}.npz"
    loaded = f"{plain} --use-load-from-checkpoint"
    return Row(name, CHEMPROP, (plain, loaded, f"{loaded} --adapter chemprop_user:{adapter}"))


def _pyannote(name: str) -> Row:
    name = f"pyannote-{name}"
    plain = f"--class pyannote.audio.models.segmentation:PyanNet --inputs {name}.npz"
    return Row(name, PYANNOTE, (plain, f"{plain} --use-load-from-checkpoint"))


def _deeptab(name: str) -> Row:
    name, make = f"deeptab-{name}", name.replace("-", "_")
    plain = f"--class deeptab.training.lightning_module:TaskModel --inputs {name}.npz"
    factory = f"--factory deeptab_user:{make} --inputs {name}.npz"
    return Row(name, DEEPTAB, (plain, factory, f"{factory} --adapter deeptab_user:Columns"))


_HYDRA = "--config hydra_template/logs/train/runs/one/.hydra/config.yaml"
_CLI = "--config cli_project/lightning_logs/version_0/config.yaml"
_BERT = "--inputs transformers-bert.npz"
_PACKED = "--factory uncertainty_user:packed --inputs torch-uncertainty-packed.npz"
ROWS = (
    _forecasting("tft", "TemporalFusionTransformer"),
    _forecasting("nbeats", "NBeats"),
    _forecasting("nhits", "NHiTS"),
    _forecasting("deepar", "DeepAR"),
    _darts("nbeats", "nbeats:_NBEATSModule"),
    _darts("tcn", "tcn_model:_TCNModule"),
    _darts("tft", "tft_model:_TFTModule"),
    _darts("tide", "tide_model:_TideModule"),
    _darts("transformer", "transformer_model:_TransformerModule"),
    _neuralforecast("nhits", "NHITS"),
    _neuralforecast("mlp", "MLP"),
    _neuralforecast("patchtst", "PatchTST", adapter=""),
    _neuralforecast("lstm", "LSTM"),
    _neuralforecast("save-nhits", "NHITS", NEURALFORECAST_SAVE),
    _neuralforecast("save-mlp", "MLP", NEURALFORECAST_SAVE),
    _tabular("category-embedding", "CategoryEmbeddingModel"),
    _tabular("ft-transformer", "FTTransformerModel", "attn_feature_importance"),
    _tabular("gandalf", "GANDALFModel"),
    _tabular("tab-transformer", "TabTransformerModel"),
    _chemprop("bond", "Molecules"),
    _chemprop("atom", "Normed"),
    _pyannote("diarization"),
    _pyannote("vad"),
    _deeptab("mlp"),
    _deeptab("ft-transformer"),
    Row("hydra-template", PROJECTS, (f"{_HYDRA} --data-module src.data.digits_datamodule:DigitsDataModule",)),
    Row("lightningcli", PROJECTS, (_CLI, f"{_CLI} --class blobs:Classifier --data-module blobs:Blobs")),
    Row("smp-fpn", WRAPPED, ("--class smp_module:CamVidModel --inputs smp-fpn.npz",)),
    Row("lightly-simclr", WRAPPED, ("--class lightly_module:SimCLR --inputs lightly-simclr.npz",)),
    Row(
        "transformers-bert",
        WRAPPED,
        (f"--class glue_module:GLUETransformer {_BERT}", f"--factory bert_user:make {_BERT}"),
    ),
    Row("torchgeo-unet", WRAPPED, ("--class torchgeo.trainers:SemanticSegmentationTask --inputs torchgeo-unet.npz",)),
    Row("torch-uncertainty-packed", WRAPPED, (_PACKED, f"{_PACKED} --adapter uncertainty_user:Mean")),
    Row("anomalib-padim", WRAPPED, ("--class anomalib.models:Padim --inputs anomalib-padim.npz",)),
)
"""Checkpoints, packages in turn."""
