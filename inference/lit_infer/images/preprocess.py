"""The preprocessing steps as the manifest has them: a step is a struct and a row in every table of steps.

What they do to pixels is in `steps`.
"""

from collections.abc import Sequence
from functools import lru_cache

from msgspec import UNSET, Struct, UnsetType

from lit_infer.errors import UsageError
from lit_infer.images.framing import CenterCrop, Crop, Pad
from lit_infer.images.resizing import OF_FLOATS, Letterbox, Resize
from lit_infer.images.values import Channels, Depth, ExifTranspose, Grayscale, Normalize, ReadImage, Scale, Stretch

AnyStep = (
    ExifTranspose
    | ReadImage
    | Resize
    | CenterCrop
    | Crop
    | Pad
    | Letterbox
    | Grayscale
    | Channels
    | Scale
    | Stretch
    | Normalize
)


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of host-side preprocessing: exactly one of its fields is set."""

    resize: Resize | UnsetType = UNSET  # the commonest first: each image asks which one is set
    center_crop: CenterCrop | UnsetType = UNSET
    exif_transpose: ExifTranspose | UnsetType = UNSET
    read: ReadImage | UnsetType = UNSET
    crop: Crop | UnsetType = UNSET
    pad: Pad | UnsetType = UNSET
    letterbox: Letterbox | UnsetType = UNSET
    grayscale: Grayscale | UnsetType = UNSET
    channels: Channels | UnsetType = UNSET
    scale: Scale | UnsetType = UNSET
    stretch: Stretch | UnsetType = UNSET
    normalize: Normalize | UnsetType = UNSET

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not UNSET]
        if len(given) != 1:
            choices = ", ".join(self.__struct_fields__)
            raise ValueError(f"a preprocess step must have exactly one of {choices}; this one has {given or 'none'}")

    @property
    def kind(self) -> str:
        """Its name in the manifest, and its key in the tables of steps."""
        return self._set()[0]

    @property
    def value(self) -> AnyStep:
        """The one field that is set."""
        return self._set()[1]

    def _set(self) -> tuple[str, AnyStep]:
        for name in self.__struct_fields__:  # a loop: this is asked several times for each image
            value = getattr(self, name)
            if value is not UNSET:
                return name, value
        raise AssertionError("one is set")  # __post_init__ saw to it


def check_steps(preprocess: tuple[Step, ...]) -> None:
    """Raises ValueError for steps in an order that has no meaning."""
    if any(step.kind == "exif_transpose" for step in preprocess[1:]):
        raise ValueError("preprocess: exif_transpose comes first; after another step there is no orientation to apply")
    kinds = [step.kind for step in preprocess if step.kind != "exif_transpose"]
    if "read" in kinds[1:]:
        raise ValueError("preprocess: read comes first, or after exif_transpose")
    if kinds != [step.kind for step in preprocess] and (read := reading(preprocess)) and read.library != "pil":
        raise ValueError(f"preprocess: exif_transpose is for images read by Pillow, not by {read.library}")
    _check_depth(preprocess)


def _check_depth(preprocess: tuple[Step, ...]) -> None:
    """torch computes a resize of 16 bits in float32 and cuts what it gets: the last bit depends on the processor."""
    depth = "uint8" if (read := reading(preprocess)) is None else read.depth
    for step in preprocess:
        if in_float(step) or depth == "float32":
            return
        value = step.value
        if not isinstance(value, Resize | Letterbox) or value.library != "torch":
            continue
        if depth == "uint16" and value.filters:
            raise ValueError(f"preprocess: torch has no exact {step.kind} of uint16 values: put scale before it")
        if value.interpolation in OF_FLOATS or value.shrinking in OF_FLOATS:
            raise ValueError(f"preprocess: torch has no {value.interpolation} of {depth} values: put scale before it")


def reading(preprocess: Sequence[Step]) -> ReadImage | None:
    """The step that says how a file becomes pixels, where there is one."""
    return _reading(tuple(preprocess))


@lru_cache(maxsize=256)  # each image asks several times
def _reading(preprocess: tuple[Step, ...]) -> ReadImage | None:
    return next((step.value for step in preprocess if isinstance(step.value, ReadImage)), None)


def channels(preprocess: Sequence[Step], normalize: Normalize | None) -> int:
    """Channels of a prepared image. Raises UsageError where nothing says how many there are."""
    read = reading(preprocess)
    count = 3 if read is None else read.channels
    known = len(normalize.mean) if normalize else None
    changed = False
    for step in preprocess:
        if isinstance(step.value, Grayscale):
            count, changed = step.value.channels, True
        elif isinstance(step.value, Channels):
            count, changed = len(step.value.order), True
    if known in (None, 1) and (read is not None or changed) and count is not None:
        return count  # one mean for all channels
    if read is None and not changed:
        return 3 if known is None else known  # a grey model's images are read as grey
    if count is None and known is None:
        raise UsageError("preprocess: images read unchanged have any number of channels: add channels with their order")
    if known is not None and count is not None and known != count:
        number = "1 channel" if count == 1 else f"{count} channels"
        raise UsageError(
            f"normalize has {known} values, and the steps give images of {number}: there must be as many. Three equal "
            "channels of grey are grayscale with channels: 3, or Grayscale(3) in the transform"
        )
    return known if known is not None else count or 3


def height_width(preprocess: tuple[Step, ...]) -> tuple[int, int]:
    """The size of every image after the steps, following the last one that fixes a size."""
    size: tuple[int, int] | None = None
    most: tuple[int, int] | None = None
    for step in preprocess:
        fixed = step.value.fixed_size or _padded_to(step.value, most)
        most = _most(step.value, most)
        if fixed is not None:
            size = fixed
        elif size is not None:
            width, height = step.value.output_size(size[1], size[0])
            size = height, width
    if size is None:
        raise UsageError(
            "preprocess gives images of varying size: end it with a center_crop, a letterbox or a resize to "
            "[height, width]"
        )
    return size


def _most(step: AnyStep, before: tuple[int, int] | None) -> tuple[int, int] | None:
    """The most that any image's (height, width) can be after a step, of which one side has it; None if unknown."""
    if not isinstance(step, Resize):
        return before if isinstance(step, _OF_VALUES) else None
    if isinstance(step.size, tuple):
        return step.size if step.keep_ratio == "fit" else None
    return (step.size, step.size) if step.size is not None and step.side == "longest" else None


def _padded_to(step: AnyStep, most: tuple[int, int] | None) -> tuple[int, int] | None:
    """(height, width) of every image after a pad, where none before it is larger."""
    if not isinstance(step, Pad) or most is None:
        return None
    if step.square:
        return most if most[0] == most[1] else None
    if step.size is None:
        return None
    height, width = step.size if isinstance(step.size, tuple) else (step.size, step.size)
    return (height, width) if most[0] <= height and most[1] <= width else None


_OF_VALUES = (ExifTranspose, ReadImage, Grayscale, Channels, Scale, Stretch, Normalize)
_IN_FLOAT = (Scale, Stretch, Normalize)
_ON_FILE = (ExifTranspose, ReadImage)


def on_file(step: Step) -> bool:
    """Whether it is about the image as stored in its file."""
    return isinstance(step.value, _ON_FILE)


def in_float(step: Step) -> bool:
    """Whether it computes in float32."""
    return isinstance(step.value, _IN_FLOAT)


def resizes_floats(preprocess: Sequence[Step]) -> bool:
    """Whether float32 values are resized: the last bits then depend on the processor."""
    first = next((index for index, step in enumerate(preprocess) if in_float(step)), len(preprocess))
    return any(isinstance(step.value, Resize | Letterbox) for step in preprocess[first:])


def dtype(preprocess: Sequence[Step]) -> Depth:
    """The dtype of a prepared image: float32 after any step that computes in it, else what the file holds."""
    return _dtype(tuple(preprocess))


@lru_cache(maxsize=256)
def _dtype(preprocess: tuple[Step, ...]) -> Depth:
    if any(map(in_float, preprocess)):
        return "float32"
    read = reading(preprocess)
    return "uint8" if read is None else read.depth
