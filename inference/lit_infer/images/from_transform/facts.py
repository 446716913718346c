"""What a transform does to an image, as far as it was read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from lit_infer.images.framing import CenterCrop, Crop, Size
from lit_infer.images.preprocess import AnyStep, Step, in_float
from lit_infer.images.resizing import Resize
from lit_infer.images.values import Channels, Grayscale, Normalize, Scale

Form = Literal["pil", "tensor", "image", "array"]
"""`image`: a tensor that torchvision v2 knows as an image, where `tensor` is a plain one."""


@dataclass(frozen=True)
class TransformFacts:
    """What a transform does to an image."""

    steps: tuple[Step, ...] = ()
    """On the host, in order."""
    scale: Scale | None = None
    """Inside the graph."""
    normalize: Normalize | None = None
    """Of the scaled values, inside the graph."""
    form: Form = "pil"
    """What the image is after it."""
    is_float: bool = False
    """Whether the values are float32 after it."""

    @property
    def is_tensor(self) -> bool:
        """Whether the image is a tensor after it."""
        return self.form in ("tensor", "image")

    @property
    def is_grey(self) -> bool:
        """Whether the image has one channel after it, as the steps say."""
        changed = [one.value for one in self.steps if isinstance(one.value, Grayscale | Channels)]
        last = changed[-1] if changed else None
        return isinstance(last, Grayscale) and last.channels == 1

    def in_rgb(self) -> "TransformFacts":
        """With three equal channels where it has one."""
        return self.then(Channels(order=(0, 0, 0))) if self.is_grey else self

    def then(self, *steps: AnyStep, form: Form | None = None) -> "TransformFacts":
        """With more steps."""
        is_float = self.is_float or any(isinstance(step, Scale) for step in steps)
        added = tuple(as_step(step) for step in steps)
        return replace(self, steps=(*self.steps, *added), form=form or self.form, is_float=is_float)

    def in_form(self, form: Form) -> "TransformFacts":
        """The same image as something else."""
        return replace(self, form=form)

    def normalized(self, mean: Any, std: Any, *, by: str) -> "TransformFacts":
        """After `(x - mean) / std`."""
        if not self.is_float:
            raise ValueError(f"{by} is not supported before the values are float32")
        return self.then(Normalize(mean=numbers(mean), std=numbers(std)))


@dataclass(frozen=True)
class PartReader:
    """How one class of a library is read."""

    read: Callable[[TransformFacts, Any], TransformFacts]
    steps: tuple[str, ...] = ()
    """The manifest's names of what it may become."""


def as_step(value: AnyStep) -> Step:
    """A step of this value."""
    fields: dict[str, Any] = {_NAMES[type(value)]: value}
    return Step(**fields)


_NAMES: dict[type, str] = {}
for _name, _kind in Step.__annotations__.items():
    _NAMES[_kind.__args__[0]] = _name


def name_of(part: Any) -> str:
    """`library.Name` of a transform: of its class, or of a function itself. A subclass may do something else."""
    named = part if hasattr(part, "__name__") else type(part)
    module = str(getattr(named, "__module__", None) or "")  # what is compiled may have none
    return f"{module.partition('.')[0]}.{named.__name__}"


def numbers(values: Any) -> tuple[float, ...]:
    """Plain numbers of a list, a tensor, an array or one number."""
    plain = values.tolist() if hasattr(values, "tolist") else values
    return tuple(float(value) for value in (plain if isinstance(plain, list | tuple) else [plain]))


def size(value: Any) -> Size:
    """One length, or (height, width): of a number or a sequence of one or two."""
    if isinstance(value, int):
        return value
    lengths = [int(length) for length in value]
    return lengths[0] if len(lengths) == 1 else (lengths[0], lengths[1])


def lifted(facts: TransformFacts) -> TransformFacts:
    """Scaling and normalisation moved from the end of the steps into the graph, as far as the order allows.

    A crop moves no value, so that it may come before both, unless it pads.
    """
    steps = list(facts.steps)
    normalize = _taken(steps, Normalize)
    scale = _taken(steps, Scale)
    if scale is None and normalize is not None and not _is_float(steps):
        scale = Scale(by=1.0)
    if scale is None and _is_float(steps):
        return replace(facts, steps=tuple(steps), normalize=normalize, scale=None)
    if scale is not None and scale.by == 255 and not _is_float(steps):
        scale = None  # as it is for bytes
    return replace(facts, steps=tuple(steps), normalize=normalize, scale=scale)


def _is_float(steps: list[Step]) -> bool:
    return any(in_float(step) for step in steps)


def _taken(steps: list[Step], kind: type[Any]) -> Any:
    """The last step of a kind, taken out, where only crops come after it; else None."""
    for index in range(len(steps) - 1, -1, -1):
        value = steps[index].value
        if isinstance(value, kind):
            may_move = kind is Scale or not any(_pads(steps, later) for later in range(index + 1, len(steps)))
            return steps.pop(index).value if may_move else None
        if not isinstance(value, CenterCrop | Crop):
            return None
    return None


def _pads(steps: list[Step], index: int) -> bool:
    """Whether the crop at `index` may pad: it does not where the image before it is large enough."""
    crop = steps[index].value
    if not isinstance(crop, CenterCrop) or crop.smaller == "error":
        return False
    known = [_least(step) for step in steps[:index] if _least(step) is not None]
    least = known[-1] if known else None
    return least is None or least[0] < crop.height_width[0] or least[1] < crop.height_width[1]


def _least(step: Step) -> tuple[int, int] | None:
    """The least (height, width) after a step, where it says one."""
    fixed = step.value.fixed_size
    if fixed is not None:
        return fixed
    resize = step.value
    if isinstance(resize, Resize) and isinstance(resize.size, int) and resize.side == "shorter" and not resize.max_size:
        return resize.size, resize.size
    return None
