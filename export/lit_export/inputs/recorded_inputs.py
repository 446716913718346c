"""What training recorded of `forward`'s inputs: their names, dtypes and shapes, as `--input` would say them."""

from dataclasses import replace

from torch import nn

from lit_export.options import Options
from lit_infer import progress
from lit_infer.errors import UsageError
from lit_infer.manifest import BatchTensor, CheckpointRecord


def with_recorded(options: Options, module: nn.Module, record: CheckpointRecord | None) -> Options:
    """The options with the recorded inputs, where nothing else says what the module takes.

    Raises UsageError for integers whose range was not recorded, with the line to complete.
    """
    others = (options.inputs, options.data_module, options.input_file, options.config, options.submodule)
    is_known = any(others) or options.adapter or getattr(module, "example_input_array", None) is not None
    if is_known or record is None or not record.inputs:
        return options
    typed = tuple(map(_typed, record.inputs))
    line = " ".join(f"--input {text}" for text in typed)
    if any(text.endswith("..N") for text in typed):
        raise UsageError(
            "the checkpoint recorded the inputs' shapes, and integers have a range: give real inputs (--data-module "
            f"PKG.MOD:DATA, or --inputs FILE.npz), or complete this, N being the largest value:\n{line}"
        )
    progress.note(f"the inputs are those that training recorded: {line}")
    return replace(options, inputs=typed)


def _typed(tensor: BatchTensor) -> str:
    """An `--input` for a recorded tensor, which has its batch in front."""
    shape = "x".join(map(str, tensor.shape[1:]))
    bounds = ":0..N" if tensor.dtype.startswith(("int", "uint")) else ""
    if tensor.range is not None:
        bounds = f":{tensor.range[0]}..{tensor.range[1]}"
    return f"{tensor.name}={shape}:{tensor.dtype}{bounds}"
