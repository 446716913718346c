"""TorchScript graphs (legacy) by torch, which is imported here and only when such a graph is opened."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from lit_infer import graph_source
from lit_infer.engines import torch_device
from lit_infer.engines.opened import MANIFEST_KEY, OpenGraph
from lit_infer.errors import EngineError, require
from lit_infer.graph_source import GraphSource


def recognises(head: bytes, entries: frozenset[str]) -> bool:  # noqa: ARG001
    """Whether an archive holds TorchScript's constants, which no checkpoint has."""
    return "constants.pkl" in entries


def open_graph(source: Path | GraphSource, *, device: str, threads: int) -> OpenGraph:
    """Open a TorchScript file. The device asked for is the device obtained, or an EngineError."""
    source = graph_source.lone(source) if isinstance(source, Path) else source
    path = source.path
    torch = require("torch", extra="torch", purpose=f"Running {path.name}")
    obtained = torch_device.obtain(torch, device)
    torch.set_num_threads(threads)
    extra: dict[str, Any] = {MANIFEST_KEY: ""}
    try:
        with source.file.reader() as file, warnings.catch_warnings():
            # torch.jit is deprecated; the help and the summary call this format legacy.
            warnings.simplefilter("ignore", FutureWarning)
            module = torch.jit.load(file, map_location=obtained, _extra_files=extra)
    except RuntimeError as error:
        raise EngineError(f"{path}: torch cannot open it: {str(error).strip().splitlines()[0]}") from None

    embedded = extra[MANIFEST_KEY]
    return OpenGraph(
        run=torch_device.runner(torch, module, obtained),
        engine=f"torch {torch.__version__} TorchScript",
        device=str(obtained),
        threads=threads,
        embedded=(embedded.decode() if isinstance(embedded, bytes) else embedded) or None,
    )
