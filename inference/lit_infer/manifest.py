"""The contract between export and inference: `manifest.json`, as typed structs.

Export writes a `Manifest`; everything else reads it. The same facts are embedded in each graph file
(`Manifest.embedded`), so a lone copied `model.onnx` still knows its labels and its preprocessing.

Laws, held by tests:
- `decode(encode(m)) == m`, and `encode` gives the same bytes for the same manifest;
- unknown keys, wrong types and a newer `schema` are errors that say what to do;
- `m.embedded()` holds nothing that depends on the graph's own bytes or on the clock.

JSON schema: docs/manifest.schema.json.
"""

import math
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from lit_infer import schemas
from lit_infer.decoding import explained
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from lit_infer.held_file import HeldFile
from lit_infer.images.framing import CenterCrop
from lit_infer.images.preprocess import Step, channels, check_steps, dtype, height_width, reading
from lit_infer.images.resizing import Resize
from lit_infer.images.tiles import Tiles, check_view
from lit_infer.images.values import Depth, ExifTranspose, Normalize, ReadImage, Scale
from lit_infer.rows.facts import RowFields

if TYPE_CHECKING:
    from lit_infer.tasks import Reading, TaskSpec

__all__ = [
    "CHECKPOINT_KEY",
    "FILE_NAME",
    "SCHEMA",
    "CenterCrop",
    "CheckpointRecord",
    "DataScore",
    "DeploymentFacts",
    "Dimension",
    "ExifTranspose",
    "FormatName",
    "Graph",
    "Latency",
    "MadeWith",
    "Manifest",
    "Normalize",
    "Parity",
    "PixelProof",
    "Precision",
    "Proof",
    "ProofInputs",
    "Quantization",
    "Resize",
    "RowFields",
    "RowProof",
    "Scale",
    "Score",
    "Source",
    "Step",
    "Task",
    "Tensor",
    "Tiles",
    "Unexercised",
    "convert",
    "decode",
    "encode",
    "json_schema",
    "read",
]

SCHEMA = 4
FILE_NAME = "manifest.json"
TOKENIZER = "tokenizer.json"
CHECKPOINT_KEY = "lit_deploy"
MAX_BYTES = 8 * 2**20  # 100,000 labels take 3 MB
_MAX_PARTS = 200_000  # objects and lists: an empty one is two bytes in the file and 60 in memory

Task = str  # a row of lit_infer.tasks.TASKS; `DeploymentFacts` and `Manifest` check it
FormatName = str  # a row of lit_infer.engines.ENGINES; `Graph` checks it
Precision = Literal["fp32", "fp16", "bf16", "int8"]
ProofInputs = Literal["noise", "example", "images", "data", "file"]
"""Seeded noise; the module's own example, its rows resampled; image files that were given; batches of a data module;
arrays from a file."""
Dimension = int | str  # a fixed size, or the name of a dynamic dimension

T = TypeVar("T")


def _reading(
    name: str,
    *,
    labels: tuple[str, ...] | None,
    answers: dict[str, Any],
    size: int | None,
    outputs: tuple["Tensor", ...] = (),
) -> "Reading":
    """Checked against the task's row. Imported here: tasks need numpy, and a manifest's structs do not."""
    from lit_infer import tasks

    return tasks.find(name).reading(labels=labels, answers=answers, size=size, outputs=outputs)


def _check_fields(task: str, fields: RowFields | None) -> None:
    """Whether columns, or a text, are said where the task has them, and nowhere else."""
    from lit_infer import tasks

    found = tasks.find(task)
    if found.fields_kind is None:
        if fields is not None:
            raise ValueError(f"task {task} has no columns, and fields are given")
        return
    if fields is None:
        needs = {
            "columns": "its columns: fields in the spec, or --columns",
            "text": "its tokenizer: --tokenizer FOLDER",
            "audio": "its rate and length (fields: {audio: {rate: …, samples: …}})",
        }
        raise ValueError(f"task {task} needs {needs[found.fields_kind]}")
    if fields.kind != found.fields_kind:
        names = {"columns": "columns", "text": "a text", "audio": "a recording"}
        raise ValueError(f"task {task} takes {names[found.fields_kind]}, and fields have {names[fields.kind]}")


def _check_tiles(tiles: Tiles | None, preprocess: tuple[Step, ...], task: str, reading: "Reading") -> None:
    """Raise ValueError for tiles that the task cannot merge, or whose pixels would not all be seen."""
    if tiles is not None:
        from lit_infer import tasks

        tasks.find(task).check_tiles(tiles, reading)
        check_view(tiles, preprocess)


def check_one_image(tiles: Tiles | None, names: tuple[str, ...]) -> None:
    """Raise ValueError for tiles of a model that takes several images: each would be cut elsewhere."""
    if tiles is not None and names:
        raise ValueError(f"tiles are for models of one image, and this one takes {' and '.join(names)}")


def _check_images(task: str, names: tuple[str, ...]) -> None:
    """Whether several images have names that columns of rows can have."""
    from lit_infer import tasks

    if not names:
        return
    found = tasks.find(task)
    if not found.takes_images:
        raise ValueError(f"images are of tasks on images, and this is {task}")
    taken = found.RESERVED | {"image", "images"}
    odd = [name for name in names if not name.isidentifier() or name in taken]
    if len(names) < 2 or len(set(names)) < len(names) or odd:
        raise ValueError(f"images: {list(names)}: give two names or more, words that no column of a row has already")


class DeploymentFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a checkpoint wants to be deployed: what training stores in it, or what `--spec` gives instead."""

    task: Task
    preprocess: tuple[Step, ...] = ()
    scale: Scale | None = None
    """How values are scaled inside the graph before `normalize`. None: by the most that their dtype holds, 255 or
    65535; float32 not at all."""
    normalize: Normalize | None = None
    labels: tuple[str, ...] | None = None
    """Class names in index order; None: the indices are used."""
    class_path: str | None = None
    """Dotted path of the LightningModule. Data, never a reason to import anything."""
    answers: dict[str, Any] = {}
    """How answers are read: the fields of the task's own facts, such as `thresholds` or `units`."""
    outputs: dict[str, str] = {}
    """Which of the module's outputs is which, and in what form: `{boxes: "pred_boxes:cxcywh:relative"}`. What is not
    said here export finds out by name and shape."""
    images: tuple[str, ...] = ()
    """Of a module that takes several images, what each is called, in the order of its arguments: `[before, after]`.
    Each is prepared by `preprocess`. Empty: it takes one."""
    license: str | None = None
    """The license of the weights, as an SPDX identifier or in words."""
    fields: RowFields | None = None
    """What a row holds, for tasks on tables."""
    tiles: Tiles | None = None
    """How large images are cut; None: each is prepared as a whole."""

    def __post_init__(self) -> None:
        reading = _reading(self.task, labels=self.labels, answers=self.answers, size=None)
        _check_images(self.task, self.images)
        check_steps(self.preprocess)
        check_one_image(self.tiles, self.images)
        _check_tiles(self.tiles, self.preprocess, self.task, reading)
        _check_fields(self.task, self.fields)

    @property
    def channels(self) -> int:
        """Channels of the image that the model takes: 1 (grey), 3 (RGB), or as many as the steps give."""
        return channels(self.preprocess, self.normalize)

    @property
    def read(self) -> ReadImage | None:
        """How a file becomes pixels, where that is said."""
        return reading(self.preprocess)

    @property
    def pixel_dtype(self) -> Depth:
        """The dtype of a prepared image."""
        return dtype(self.preprocess)

    @property
    def height_width(self) -> tuple[int, int]:
        """The size of every image after preprocessing; an error if the steps do not fix one."""
        return height_width(self.preprocess)


class BatchTensor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tensor as training saw it."""

    name: str
    """Its argument's name, or where it was in the batch: `0`, `input_ids`, `1.mask`."""
    dtype: str
    shape: tuple[int, ...]
    range: tuple[int, int] | None = None
    """The smallest and the largest value, of integers; None: not recorded."""


class CheckpointRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What training stores in a checkpoint, as plain data under CHECKPOINT_KEY."""

    deployment: DeploymentFacts
    run: str | None = None
    """The tracked run that made it, as `project/id`."""
    git_commit: str | None = None
    batch: tuple[BatchTensor, ...] | None = None
    """The tensors of a validation batch; None where there was no batch before the checkpoint."""
    inputs: tuple[BatchTensor, ...] | None = None
    """What `forward` was called with for that batch; None if it was not called, or not with tensors only."""


class Score(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the checkpoint's `ModelCheckpoint` recorded for these very weights."""

    monitor: str
    mode: Literal["min", "max"]
    value: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"score: {self.monitor} is {self.value}")


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the weights come from: it answers "which run made this prediction?"."""

    digest: str
    """sha256 of the `.ckpt` file, in hex."""
    class_path: str
    submodule: str | None = None
    """The attribute path of the part that was exported; None: the whole module."""
    adapter: str | None = None
    """What was put around the module (`--adapter`); its `forward` is what the graph computes."""
    call: str = "forward"
    """The method that the graph computes: `forward`, or `predict_step` of a module that has no other."""
    reference: str | None = None
    run: str | None = None
    git_commit: str | None = None
    weights: Literal["model", "ema"] = "model"
    score: Score | None = None


class Tensor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An input or output of the graph."""

    name: str
    dtype: Literal["bool", "uint8", "uint16", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
    shape: tuple[Dimension, ...]
    range: tuple[int | None, int | None] | None = None
    """Of an input of whole numbers, the least and the largest that the module takes; None: not known.

    A graph may answer what the module refuses: ONNX counts an index of -1 from the end.
    """


class Parity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the final file's answers are from the eager module's, through the runtime's own predictor."""

    batches: tuple[int, ...]
    inputs: ProofInputs
    """What was compared on."""
    max_abs: float
    max_rel: float
    cosine: float
    """The least cosine similarity of any one input's answers."""
    agreement: float | None
    """Share of inputs, 0 to 1, with the same answer as the task defines it (the best class, say).

    None: it does not, or the module has the same answer for all of them, so that this would say nothing.
    """
    atol: float
    rtol: float
    eager_error: float | None = None
    """The eager module's own float32 rounding error, if that exceeds the tolerance and was allowed for."""

    def __post_init__(self) -> None:
        measured = (self.max_abs, self.max_rel, self.cosine, self.agreement or 0.0)
        if not all(math.isfinite(value) for value in measured):
            raise ValueError(f"parity: {measured} must be finite")


class Unexercised(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place in the module's source that the inputs of the proof did not run in full."""

    file: str
    line: int
    text: str
    what: Literal["never ran", "always true", "always false"]


class PixelProof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the runtime's way from a file to the module's input was compared with training's own transform."""

    transform: str
    """Whose it is: `photolab.data:val_transform`."""
    images: int
    source: str
    """Which images, in words."""
    max_difference: float
    """The largest difference of a value at the module's input."""
    allowed: float = 0.0
    """What was allowed for (`--allow-pixel-difference`), beyond the rounding of float32."""


class RowProof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the runtime's way from a row to the module's inputs was compared with training's own code."""

    prepare: str
    """Whose it is: `shop.data:prepare`."""
    rows: int
    source: str
    """Which rows, in words."""
    max_difference: float
    """The largest difference of a number at the module's inputs."""


class Proof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the graphs were compared with the eager module on, and what that did not show."""

    inputs: ProofInputs
    source: str | None = None
    """Where the inputs came from, in words: `the validation data of pkg.mod:Data`; None for noise."""
    rows: int
    """Different rows that were compared, over all batches."""
    lines: int | None = None
    """Lines of `forward`, and of the functions outside torch that it calls; None where there is no source."""
    lines_run: int | None = None
    unexercised: tuple[Unexercised, ...] = ()
    accepted: bool = False
    """Whether a person took the unexercised places on, where a graph has them frozen (`--accept-unexercised`)."""
    varies: bool = True
    """False where the outputs hardly vary with the inputs: then the comparison shows little, and nothing is proven."""
    assumed: tuple[str, ...] = ()
    """What was taken as given: `token ids lie in 0..299 (--input)`."""
    pixels: PixelProof | None = None
    """None: the preprocessing is as stated, and was not compared with training."""
    prepared: RowProof | None = None
    """None: columns are prepared as stated, and were not compared with training; or there are none."""


class DataScore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How good the answers are on labelled images, measured at export."""

    metric: str
    """The task's own: `accuracy`, `macro F1`, `MAE`."""
    value: float
    eager: float
    """The eager module's, on the same images."""
    images: int
    also: dict[str, float] = {}
    """Other scores of the graph, by name."""


class Latency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Median time per input on the exporting machine's CPU, on prepared input."""

    ms: float
    batch_size: int
    threads: int
    cpu: str


class Quantization(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an int8 graph was made."""

    calibration_images: int
    kept: tuple[str, ...] = ()
    """Nodes left in float, because they were named or because accuracy needed them."""


class Graph(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One graph file of the bundle, as measured, not as requested."""

    format: FormatName
    status: Literal["ok", "failed"]
    reason: str | None = None
    """Why it failed; None if it did not."""
    file: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    """Size of the file and its companions together."""
    companions: dict[str, str] = {}
    """Files that belong to it (OpenVINO's weights, ONNX external data), with the sha256 of each."""
    precision: Precision = "fp32"
    opset: int | None = None
    ir_version: int | None = None
    exporter: str | None = None
    """What wrote it and, if that was not the first choice, why not."""
    parity: Parity | None = None
    score: DataScore | None = None
    latency: Latency | None = None
    quantization: Quantization | None = None

    def __post_init__(self) -> None:
        if self.format not in _formats():
            raise ValueError(f"graph format {self.format!r} is not known; it is one of {', '.join(_formats())}")

    @property
    def label(self) -> str:
        """Its name in messages: `onnx`, or `onnx int8` where it is not float32."""
        return self.format if self.precision == "fp32" else f"{self.format} {self.precision}"


class MadeWith(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What made the bundle."""

    versions: dict[str, str]
    command: str
    date: str | None = None
    """ISO 8601, UTC; None if the same export must give the same bytes."""


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that inference needs to know. See the module's docstring for its laws."""

    schema: int = SCHEMA
    name: str
    task: Task
    source: Source
    inputs: tuple[Tensor, ...]
    preprocess: tuple[Step, ...]
    scale: Scale | None = None
    """How values are scaled inside the graph. None: as in `DeploymentFacts`."""
    normalize: Normalize | None
    outputs: tuple[Tensor, ...]
    labels: tuple[str, ...] | None
    answers: dict[str, Any] = {}
    """How answers are read, beyond their labels: the task's own facts."""
    taken: dict[str, str] = {}
    """Which of the module's outputs was taken for what, and in what form; empty for a module that answers one tensor,
    and in bundles of before."""
    rows: Literal["independent", "joined"] = "independent"
    """`joined`: the answer for a row depends on its batch, so that requests must not share one, nor be split."""
    proof: Proof | None = None
    """None in bundles of schemas before 3."""
    license: str | None = None
    fields: RowFields | None = None
    """What a row holds, and how it becomes the inputs; None: a model of images, or of bare tensors."""
    tiles: Tiles | None = None
    """How large images are cut; None: each is prepared as a whole."""
    made_with: MadeWith
    graphs: tuple[Graph, ...] = ()
    golden: str | None = None
    """A file of inputs and the eager module's answers, by tensor name: a target host checks itself against it."""
    golden_sha256: str | None = None
    pixels: str | None = None
    """A file of a few images and what the export prepared of them: a target host checks its decoders against it."""
    pixels_sha256: str | None = None

    def __post_init__(self) -> None:
        size = self._size()
        if self.labels is not None and size is not None and len(self.labels) != size:
            raise ValueError(f"{len(self.labels)} labels for an output of {size} classes")
        check_steps(self.preprocess)
        _check_fields(self.task, self.fields)
        self._check_inputs()
        reading = _reading(self.task, labels=self.labels, answers=self.answers, size=size, outputs=self.outputs)
        _check_tiles(self.tiles, self.preprocess, self.task, reading)
        check_one_image(self.tiles, self.image_names)

    def _check_inputs(self) -> None:
        """Raise ValueError for fields that make other inputs than the graph has."""
        if self.fields is None:
            return
        made = self.fields.made
        if {*made} != {tensor.name for tensor in self.inputs}:
            raise ValueError(f"fields make {', '.join(made)}, and the inputs are {[one.name for one in self.inputs]}")

    @property
    def image_names(self) -> tuple[str, ...]:
        """What the images of an item are called, of a model that takes several; empty for one that takes one."""
        several = self.spec.takes_images and len(self.inputs) > 1
        return tuple(tensor.name for tensor in self.inputs) if several else ()

    def _size(self) -> int | None:
        return self.spec.size_of(self.outputs[0].shape) if self.outputs else None

    @property
    def reading(self) -> "Reading":
        """What is needed to read the outputs."""
        return _reading(self.task, labels=self.labels, answers=self.answers, size=self._size(), outputs=self.outputs)

    @property
    def spec(self) -> "TaskSpec":
        """The task's row in the table."""
        from lit_infer import tasks

        return tasks.find(self.task)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of a prepared image, for the image tasks."""
        match self.inputs[0].shape:
            case (_, int(height), int(width), int(channels)):
                return height, width, channels
            case (_, _, _, int(channels)) if self.spec.takes_images:  # any size: preprocessing makes one
                return *height_width(self.preprocess), channels
        raise UsageError(f"{self.name} ({self.task}) does not take images of one size: {list(self.inputs[0].shape)}")

    def embedded(self) -> "Manifest":
        """The facts that go into each graph file: nothing that depends on its own bytes or on the clock."""
        made_with = msgspec.structs.replace(self.made_with, date=None)
        return msgspec.structs.replace(
            self, graphs=(), golden=None, golden_sha256=None, pixels=None, pixels_sha256=None, made_with=made_with
        )

    def completed(
        self,
        *,
        graphs: tuple[Graph, ...],
        golden: str | None,
        date: str | None,
        golden_sha256: str | None = None,
        pixels: str | None = None,
        pixels_sha256: str | None = None,
    ) -> "Manifest":
        """The inverse of `embedded`: adds what is only known once the graphs are made."""
        return msgspec.structs.replace(
            self,
            graphs=graphs,
            golden=golden,
            golden_sha256=golden_sha256,
            pixels=pixels,
            pixels_sha256=pixels_sha256,
            made_with=msgspec.structs.replace(self.made_with, date=date),
        )

    def ok_graphs(self) -> tuple[Graph, ...]:
        """The graphs that passed their checks, in the order of the file."""
        return tuple(graph for graph in self.graphs if graph.status == "ok" and graph.file)

    def identity(self) -> str:
        """Name and the first 12 digits of the checkpoint's digest: it is recorded with each prediction."""
        return f"{self.name}@{self.source.digest[:12]}"


def encode(manifest: Manifest) -> bytes:
    """A manifest as readable JSON; the same manifest gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2) + b"\n"


def decode(raw: bytes | str, *, where: str) -> Manifest:
    """Strictly decode a manifest. `where` names the file in errors."""
    text = raw.encode() if isinstance(raw, str) else raw
    if len(text) > MAX_BYTES or text.count(b"{") + text.count(b"[") > _MAX_PARTS:
        raise ArtifactError(f"{where}: too large for a manifest ({len(text):,} bytes). Export the model again")
    try:
        schema = msgspec.json.decode(raw, type=_SchemaOnly).schema
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ArtifactError(f"{where}: not a manifest ({error}). Export the model again.") from None
    if schema > SCHEMA:
        raise ArtifactError(
            f"{where}: schema {schema} is newer than this lit-deploy reads ({SCHEMA}). "
            "Run: pip install --upgrade lit-deploy"
        )
    try:
        if schema < SCHEMA:
            plain = schemas.translated(msgspec.json.decode(raw), schema, newest=SCHEMA)
            return msgspec.convert(plain, type=Manifest, strict=True)
        return msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{where}: {error}. The file was changed or is damaged: export again.") from None


def convert(data: Any, to: type[T], *, where: str) -> T:
    """Plain data (from a checkpoint or a YAML file) as a struct; a wrong field is named, with its path."""
    try:
        return msgspec.convert(data, type=to, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(f"{where}: {explained(error, to)}") from None


def read(bundle: Path) -> Manifest:
    """The manifest of a bundle folder."""
    path = bundle / FILE_NAME
    try:
        with HeldFile(path) as file:
            raw = file.read(limit=MAX_BYTES)
    except FileNotFoundError:
        raise NotFoundError(f"{bundle} is not a bundle: it has no {FILE_NAME}. Run: lit-export --help") from None
    except ArtifactError:
        raise
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from None
    return decode(raw, where=str(path))


def json_schema() -> dict[str, Any]:
    """The JSON schema of `manifest.json`, as published in docs/."""
    from lit_infer import tasks

    schema = msgspec.json.schema(Manifest)
    defined = schema["$defs"]
    defined["Graph"]["properties"]["format"] = {"enum": sorted(_formats())}
    fields = defined["Manifest"]["properties"]
    fields["task"] = {"enum": list(tasks.TASKS)}
    facts, components = msgspec.json.schema_components(
        [task.facts for task in tasks.TASKS.values()], ref_template="#/$defs/{name}"
    )
    fields["answers"] |= {"anyOf": list({one["$ref"]: one for one in facts}.values())}
    schema["$defs"] = defined | components
    return schema


def _formats() -> Collection[str]:
    """The known formats. Engines read manifests, so the table is imported when it is needed."""
    from lit_infer.engines import ENGINES

    return ENGINES.keys()


class _SchemaOnly(Struct):
    """Just enough to tell a newer file from a damaged one."""

    schema: int
