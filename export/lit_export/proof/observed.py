"""One run of the eager module under torch's eyes: where it looks at values, what is random, what it writes to.

The answers of this run are not used: under observation torch leaves out some of its fast paths.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lit_export.proof import coverage
from lit_export.proof.coverage import CodeTrace, Coverage, Span
from lit_export.tasks.target import tensors_of
from lit_export.user_code import is_theirs, shown_path, user_code
from lit_infer.tensors import Arrays

_VALUES = frozenset(
    {"item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__", "equal", "allclose"}
    | {"is_nonzero", "__contains__"}
)
"""Functions whose result is a value of Python, or depends on one."""
_SIZES = frozenset({"shape", "size", "numel", "nelement", "__len__", "__iter__", "unbind", "split", "chunk"})
"""Functions that tell how large a tensor is."""
_OF_ANY_SIZE = frozenset({"nms"})
"""Operators of other libraries, by name, that say to nobody that the size of their answer depends on values."""


@dataclass(frozen=True)
class Spot:
    """An instruction in the user's code."""

    code: CodeType
    offset: int

    @property
    def line(self) -> int:
        """In its file."""
        return next(line or 0 for start, end, line in self.code.co_lines() if start <= self.offset < end)

    @property
    def place(self) -> str:
        """`pkg/net.py:12`."""
        return f"{shown_path(self.code.co_filename)}:{self.line}"

    @property
    def span(self) -> Span | None:
        """Its piece of source: of a jump that asks a tensor whether it is true, what it asks."""
        trace = CodeTrace(self.code)
        jump = trace.jumps.get(self.offset)
        return jump.spans[0] if jump and jump.spans else trace.spans[self.offset // 2]


@dataclass(eq=False)
class Observed:
    """What was seen."""

    looks: set[Spot] = field(default_factory=set)
    """Where the run depends on values of the inputs: all of the user's frames on the stack."""
    read: dict[Spot, list[Any]] = field(default_factory=dict)
    """What Python got of such values, turn by turn, in the innermost frame: `x.max().item()`."""
    random: dict[Spot, str] = field(default_factory=dict)
    """Where random numbers were drawn, and by which function."""
    written: dict[Spot, str] = field(default_factory=dict)
    """Where a tensor that is kept or was given was written to, and its name."""
    reached: Coverage = field(default_factory=Coverage)

    def spans(self, filename: str) -> set[Span]:
        """The pieces of a file in which the run looks at values."""
        return {span for spot in self.looks if spot.code.co_filename == filename and (span := spot.span)}


def observed(module: nn.Module, inputs: Arrays, names: Sequence[str], *, constant: Collection[str] = ()) -> Observed:
    """Run the module on copies of its inputs, which have these names. A look at one that is constant is none."""
    found = Observed()
    tensors = tensors_of(inputs)
    watch = _Watch(module, dict(zip(names, tensors, strict=True)), found, constant)
    watching = (user_code("forward under observation"), coverage.recording(found.reached), torch.no_grad())
    with ExitStack() as stack:
        for one in (*watching, _Operators(watch), _Functions(watch), coverage.running()):
            stack.enter_context(one)
        module(*tensors)
    return found


class _Watch:
    """What is known of the tensors of one run."""

    def __init__(
        self, module: nn.Module, inputs: dict[str, Tensor], found: Observed, constant: Collection[str]
    ) -> None:
        self.found = found
        self.calling = ""
        """The function of torch that the user's code has called."""
        self.saw_a_look = self.saw_a_size = False
        self._kept = {_memory(tensor): name for name, tensor in _tensors_of(module)}
        self._kept |= {_memory(tensor): f"its input {name}" for name, tensor in inputs.items()}
        self._fed = _Marks(tensor for name, tensor in inputs.items() if name not in constant)
        self._of_any_size = _Marks(())

    def before(self, function: Any) -> None:
        self.calling, self.saw_a_look, self.saw_a_size = resolve_name(function) or str(function), False, False

    def after(self, given: list[Tensor], answer: Any) -> None:
        """Follow values from the inputs, and sizes that depend on values, from call to call."""
        name = self.calling.removesuffix(".__get__").rpartition(".")[2]
        is_fed, is_any_size = any(map(self._fed.has, given)), any(map(self._of_any_size.has, given))
        if (is_fed and (name in _VALUES or self.saw_a_look)) or (is_any_size and name in _SIZES):
            self.found.looks.update(_spots())
        if is_fed and name in _VALUES and (spot := next(_spots(), None)):
            self.found.read.setdefault(spot, []).append(answer)
        made = [one for one in tree_leaves(answer) if isinstance(one, Tensor)]
        changed = [*made, *(given[:1] if name == "__setitem__" else ())]
        if is_fed:
            self._fed.add(changed)
        if (is_fed and self.saw_a_size) or is_any_size:
            self._of_any_size.add(one for one in made if one.ndim and not any(one is other for other in given))

    def operator(self, function: Any, args: tuple[Any, ...]) -> None:
        """One operator of torch, below all functions."""
        tags = function.tags
        self.saw_a_look |= torch.Tag.data_dependent_output in tags
        self.saw_a_size |= _makes_any_size(function, args)
        if torch.Tag.nondeterministic_seeded in tags:
            self._note(self.found.random, self.calling or str(function))
        for argument, value in zip(function._schema.arguments, args, strict=False):
            info = argument.alias_info
            if info and info.is_write and isinstance(value, Tensor) and (name := self._kept.get(_memory(value))):
                self._note(self.found.written, name)

    @staticmethod
    def _note(where: dict[Spot, str], what: str) -> None:
        if spot := next(_spots(), None):
            where.setdefault(spot, what)


class _Marks:
    """A set of tensors that keeps none of them alive."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._of: dict[int, ref[Tensor]] = {}
        self.add(tensors)

    def has(self, tensor: Tensor) -> bool:
        found = self._of.get(id(tensor))
        return found is not None and found() is tensor

    def add(self, tensors: Iterable[Tensor]) -> None:
        self._of |= {id(tensor): ref(tensor) for tensor in tensors}


class _Functions(TorchFunctionMode):
    """Sees what the user's code calls, sizes and values of Python included."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self._watch.before(func)
        answer = func(*args, **kwargs)
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        self._watch.after(given, answer)
        return answer


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees what torch computes, whoever asked for it."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._watch = watch

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._watch.operator(func, args)
        return func(*args, **(kwargs or {}))


def _makes_any_size(function: Any, args: tuple[Any, ...]) -> bool:
    """Whether the size of an operator's answer depends on values: of `x[i]`, only where `i` is a mask."""
    if function.overloadpacket.__name__ in _OF_ANY_SIZE:
        return True
    if torch.Tag.dynamic_output_shape not in function.tags:
        return False
    is_index = function.overloadpacket is torch.ops.aten.index
    return not is_index or any(one is not None and one.dtype in (torch.bool, torch.uint8) for one in args[1])


def _tensors_of(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters, buffers, and tensors that are plain attributes."""
    yield from module.named_parameters()
    yield from module.named_buffers()
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor):
                yield f"{path}.{name}".removeprefix("."), value


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _spots() -> Iterator[Spot]:
    """Where the user's code is now, the innermost frame first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_theirs(frame.f_code.co_filename):
            yield Spot(frame.f_code, frame.f_lasti)
        frame = frame.f_back
