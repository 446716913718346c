"""torch.export programs (`.pt2`) by torch, which is imported here and only when such a graph is opened.

`torch.export.load` of torch 2.15 trusts its file. Read in its source, each of these runs code of the file's author:
- weights and constants marked `use_pickle` go through `torch.load(weights_only=False)`, `opaque_obj_*` through
  `pickle.loads`, `custom_obj_*` through TorchScript's unpickler;
- sample inputs and the older `weights/model.pt` are loaded with weights_only=True, and with False if that fails;
- a RuntimeError anywhere makes it try the file again in the older format, which does the same;
- `data/aotinductor/` holds a shared library, which is opened;
- symbolic sizes are strings that sympy evaluates, `guards_code` is executed, names of inputs and weights are pasted
  into generated code, `target` names any function reachable from `torch`, and a tree spec may name a module to import.
So `pt2_archive.check` reads the file first, with the reader that torch uses, and only what a plain tensor program
needs passes; then `load_pt2` is called, which has no second format to fall back on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lit_infer import graph_source
from lit_infer.engines import aotinductor, pt2_archive, torch_device
from lit_infer.engines.opened import MANIFEST_KEY, OpenGraph
from lit_infer.errors import EngineError, require
from lit_infer.graph_source import GraphSource


def recognises(head: bytes, entries: frozenset[str]) -> bool:
    """Whether an archive holds a program; one with a native library is AOTInductor's."""
    is_program = "archive_format" in entries or any(name.startswith("models/") for name in entries)
    return is_program and not aotinductor.recognises(head, entries)


def open_graph(source: Path | GraphSource, *, device: str, threads: int) -> OpenGraph:
    """Open a torch.export program. The device asked for is the device obtained, or an EngineError."""
    source = graph_source.lone(source) if isinstance(source, Path) else source
    path = source.path
    torch = require("torch", extra="torch", purpose=f"Running {path.name}")
    obtained = torch_device.obtain(torch, device)
    torch.set_num_threads(threads)
    program, embedded = _load(torch, source)
    try:
        if obtained.type != "cpu":
            program = torch.export.passes.move_to_device_pass(program, str(obtained))
        module = program.module()
    except Exception as error:  # torch may raise anything for a graph of another version
        raise EngineError(f"{path}: torch cannot run it: {_first_line(error)}") from None
    return OpenGraph(
        run=torch_device.runner(torch, module, obtained),
        engine=f"torch {torch.__version__} torch.export",
        device=str(obtained),
        threads=threads,
        embedded=embedded,
    )


def _load(torch: Any, source: GraphSource) -> tuple[Any, str | None]:
    """The program and the manifest it carries, from a file that has passed the check."""
    from torch.export.pt2_archive._package import load_pt2

    try:
        with source.file.reader() as file:  # one open file, so that what is loaded is what was checked
            pt2_archive.check(torch, file)
            file.seek(0)
            contents = load_pt2(file)
    except pt2_archive.UnsafeArchiveError as error:
        raise EngineError(f"{source.path} is refused, because loading it could run code: {error}") from None
    except Exception as error:  # torch raises anything for a damaged file, AssertionError and KeyError included
        raise EngineError(f"{source.path}: torch cannot open it: {_first_line(error)}") from None
    return contents.exported_programs["model"], contents.extra_files.get(MANIFEST_KEY) or None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
