"""What every engine gives back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from numpy.typing import NDArray

Run = Callable[[Sequence[NDArray[Any]]], Sequence[NDArray[Any]]]
"""Inputs in the manifest's order to outputs in the manifest's order. Safe to call from several threads."""


@dataclass(frozen=True)
class OpenGraph:
    """A graph, ready to run, and what was really obtained."""

    run: Run
    engine: str
    """The library and provider that run it, e.g. "onnxruntime CPUExecutionProvider"."""
    device: str
    """`cpu` or `cuda:N`."""
    embedded: str | None
    """The manifest that the file carries, as JSON; None for a file that another tool made."""
    providers: tuple[str, ...] = ()
    """What the engine obtained to run parts of the graph, first choice first; () where it has no such notion."""
    why: str = ""
    """Why this device and provider, where the choice was the engine's."""
    threads: int = 1
    """CPU threads of one run."""
    reopen: "Callable[[int], OpenGraph] | None" = None
    """Open the same graph once more, on so many threads. None: this one is right for one caller and for many."""


MANIFEST_KEY = "lit_deploy_manifest"
"""Where a graph file carries its manifest: ONNX `metadata_props`, TorchScript `_extra_files`."""


class _Rows(msgspec.Struct):
    rows: str = "independent"


def rows_are_joined(embedded: str | None) -> bool:
    """Whether the manifest that a file carries says that a row's answer depends on the others; None says nothing."""
    try:
        return embedded is not None and msgspec.json.decode(embedded, type=_Rows).rows == "joined"
    except msgspec.DecodeError:
        return False  # whoever reads the manifest refuses it
