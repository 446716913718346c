"""Task `tensor`: any module, unchanged. Several inputs, several outputs, integers, sequences; no preprocessing.

`tensor_target` is the story: what the module is called with, how it takes that, which side is the batch, what inputs
are drawn from, and what comes out.
"""

import numpy as np
from torch import nn

from lit_export.inputs import arrays_file, given, outputs, pinned, sides
from lit_export.inputs.call import PredictStep, asked, callee
from lit_export.inputs.given import GivenCalls
from lit_export.inputs.supplied import supplied
from lit_export.inputs.supply import Sizes, Supply
from lit_export.inputs.taken import Taken, run, taken
from lit_export.inputs.typed import Typed, parsed
from lit_export.options import Options
from lit_export.tasks.spec import ExportTask
from lit_export.tasks.target import Target, dtype_of
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import LitError, UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks.tensor import TASK as RUNTIME
from lit_infer.tensors import Arrays

_SCALES = (1.0, 0.1, 3.0, 0.01)
_TRACED = 8
"""Rows to trace with, at most; two where fewer are given, since one would be frozen into the graph."""


def tensor_target(
    module: nn.Module, facts: DeploymentFacts, options: Options, real: GivenCalls | None = None
) -> Target:
    """The target of task `tensor`. `real`: recorded calls on real data."""
    called = callee(module)
    texts = [parsed(text) for text in options.inputs]
    what = real or _given(called, texts, options)
    took = _taken(called, what, texts, options)
    if names := [name for name in facts.outputs if name in took.names]:
        raise UsageError(f"outputs: {names[0]} is an input's name: call the output otherwise")
    took.flat.chosen = dict(facts.outputs)
    typed = given.named(called, texts)
    supply = supplied(took, what, options, typed)
    base = _base(supply)
    tried = sides.that_work(
        lambda sizes: _takes(took, supply, sizes), [base, *map(supply.sizes, range(len(supply.batches)))], batch=BATCH
    )
    example = supply.drawn(np.random.default_rng(0), base)
    found = outputs.found(took.flat, supply, base)

    def noise(generator: np.random.Generator, batch: int) -> Arrays:
        is_any = BATCH in base
        turn = batch if is_any else int(generator.integers(len(tried) * len(_SCALES)))  # of one size, each is another
        sizes = {**tried[turn % len(tried)], **({BATCH: batch} if is_any else {})}
        of_given = int(generator.integers(len(supply.batches)))
        return supply.drawn(generator, sizes, scale=_SCALES[turn % len(_SCALES)], batch=of_given)

    return Target(
        module=took.flat,
        inputs=outputs.inputs(supply),
        outputs=found.tensors,
        example=example,
        noise=noise,
        sized=lambda generator, sizes: supply.drawn(generator, {**base, **sizes}),
        facts=facts,
        batch=None if BATCH in base else supply.count(base),
        warnings=(*found.notes, *_axes_note(supply)),
        inputs_kind=what.kind,
        inputs_source=what.source,
        inputs_given=supply.given if what.is_real else None,
        assumed=(*took.notes, *(one.assumed(name) for name, one in typed.items() if one.has_bounds)),
        constant=tuple(name for name, one in typed.items() if one.has_bounds and one.bounds.is_one_value),
        call="predict_step" if isinstance(called, PredictStep) else "forward",
    )


def _given(called: nn.Module, texts: list[Typed], options: Options) -> GivenCalls:
    """A file, the module's own example, or `--input`; where both are there and `--input` is for some, the example."""
    if options.input_file is not None:
        return arrays_file.of_file(called, options.input_file)
    owner = called.module if isinstance(called, PredictStep) else called
    example = getattr(owner, "example_input_array", None)
    if example is not None:
        what = given.of_example(example)
        if not texts or _is_for_some(called, what, texts):
            return what
    if not texts:
        raise UsageError(f"what {asked(called)} takes is not known. {given.HOW}")
    return _noise(called, texts, options)


def _is_for_some(called: nn.Module, what: GivenCalls, texts: list[Typed]) -> bool:
    """Whether the `--input`s are by name for some of the example's inputs, which has the others."""
    names = set(taken(called, what, dtype_of(called)).names)
    return {one.name for one in texts} < names


def _noise(called: nn.Module, texts: list[Typed], options: Options) -> GivenCalls:
    return given.of_typed(called, texts, pinned.pinned(options.batch_axis), rows=options.static_batch or 2)


def _taken(called: nn.Module, what: GivenCalls, texts: list[Typed], options: Options) -> Taken:
    """How the module takes it. Where it takes one row and not two, that is said."""
    try:
        return taken(called, what, dtype_of(called))
    except LitError:
        if what.kind != "noise" or options.static_batch is not None:
            raise
        alone = given.of_typed(called, texts, pinned.pinned(options.batch_axis), rows=1)
        try:
            taken(called, alone, dtype_of(called))
        except LitError:
            alone = what
        if alone is what:
            raise
    raise UsageError(f"{asked(called)} takes a batch of 1 and not of 2. Give --static-batch 1")


def _base(supply: Supply) -> dict[str, int]:
    """The lengths of the dynamic sides to trace with."""
    base = supply.sizes()
    return {**base, BATCH: max(2, min(base[BATCH], _TRACED))} if BATCH in base else base


def _takes(took: Taken, supply: Supply, sizes: Sizes) -> bool:
    try:
        run(took.flat, supply.drawn(np.random.default_rng(0), sizes))
    except Exception:  # a module may demand multiples, and may raise anything
        return False
    return True


def _axes_note(supply: Supply) -> list[str]:
    """Where the batch is, if that is not what most would expect."""
    if all(axis in (0, None) for axis in supply.axes):
        return []
    where = ", ".join(
        f"axis {axis} of {name}" for name, axis in zip(supply.names, supply.axes, strict=True) if axis is not None
    )
    return [f"the batch is {where}, as trying showed; --batch-axis INPUT=AXIS says otherwise"]


TASK = ExportTask(name=RUNTIME.name, roles=None, target=tensor_target, target_on=tensor_target)
