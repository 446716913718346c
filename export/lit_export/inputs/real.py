"""Calls of the module on the user's own data."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from lit_export.front.find_class import find_object
from lit_export.inputs.call import PredictStep, asked, callee, counted
from lit_export.inputs.conventions import Arguments
from lit_export.inputs.data_module import real_batches
from lit_export.inputs.given import GivenCalls, forms_of
from lit_export.inputs.recorder import recorded
from lit_export.options import Options
from lit_export.user_code import user_code
from lit_infer import progress
from lit_infer.errors import LitError, UsageError


def real_inputs(whole: nn.Module, exported: nn.Module, options: Options) -> GivenCalls | None:
    """Calls on batches of the user's data; None where no data are named.

    `whole`: the module that was loaded; `exported`: what is exported of it. Data that only `--config` describes and
    that cannot be had here are left out with a line: they are where the training was.
    """
    if options.batch_to_inputs and not (options.data_module or options.config):
        raise UsageError("--batch-to-inputs needs batches: give --data-module PKG.MOD:DATA")
    try:
        found = real_batches(options, whole)
        if found is None:
            return None
        progress.note(f"read {found.source}")
        calls = _calls(whole, exported, found.batches, options)
    except LitError as error:
        if options.data_module:
            raise
        progress.note(f"warning: the data of {options.config} are not compared on: {error}")
        return None
    return GivenCalls(calls[0], "data", found.source, more=tuple(calls[1:]))


def _calls(
    whole: nn.Module, exported: nn.Module, batches: Sequence[Any], options: Options
) -> list[Sequence[Arguments]]:
    """For each call, the forms that it may have."""
    if options.batch_to_inputs:
        name = options.batch_to_inputs
        function = find_object(name, option="--batch-to-inputs")
        fixed = counted(callee(exported))
        with user_code(f"--batch-to-inputs {name}"):
            return [_with(forms_of(function(batch)), fixed) for batch in batches]
    called = callee(exported)
    if isinstance(called, PredictStep):
        return [[((batch,), counted(called))] for batch in batches]
    return [[call] for call in recorded(whole, exported, batches, asked=asked(called))]


def _with(forms: Sequence[Arguments], fixed: dict[str, int]) -> list[Arguments]:
    return [(args, {**kwargs, **fixed}) for args, kwargs in forms]


def refuse(options: Options, task: str) -> None:
    """Raise UsageError where inputs are given that only a bare tensor graph takes."""
    given = {
        "--inputs": options.input_file,
        "--batch-to-inputs": options.batch_to_inputs,
        "--batch-axis": options.batch_axis,
    }
    wrong = next((option for option, value in given.items() if value), None)
    if wrong:
        raise UsageError(f"{wrong} is for bare tensor graphs; {task} is compared on image files: --images FOLDER")
