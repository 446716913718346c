"""AOTInductor libraries (`.aoti.pt2`): native code that torch compiled for one host.

Opening one runs its code with all the rights of this process, and a checksum beside it proves only that the file
is intact, not who made it. So it is opened only where its maker is said to be trusted, whether it is alone or in a
bundle: by the user with LIT_ALLOW_NATIVE_CODE=1, for which a signature that verifies (docs/export/signing.md) is a
good reason, or by a caller that has just compiled it, with `allow_native_code`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from lit_infer import graph_source
from lit_infer.engines import torch_device
from lit_infer.engines.opened import MANIFEST_KEY, OpenGraph
from lit_infer.errors import EngineError, require
from lit_infer.graph_source import GraphSource

ALLOW = "LIT_ALLOW_NATIVE_CODE"


def recognises(head: bytes, entries: frozenset[str]) -> bool:  # noqa: ARG001
    """Whether an archive holds a library."""
    return any(name.startswith("data/aotinductor/") for name in entries)


def open_graph(source: Path | GraphSource, *, device: str, threads: int, allow_native_code: bool = False) -> OpenGraph:
    """Open a library on the kind of device and CPU that it was compiled for, or raise EngineError."""
    source = graph_source.lone(source) if isinstance(source, Path) else source
    path = source.path
    if not (allow_native_code or os.environ.get(ALLOW) == "1"):
        raise EngineError(f"{path} holds native code, which runs when it is opened. If you trust it, set {ALLOW}=1")
    torch = require("torch", extra="torch", purpose=f"Running {path.name}")
    with tempfile.NamedTemporaryFile(suffix=path.suffix) as copy:  # torch takes only names: of a copy nobody replaces
        with source.file.reader() as file:
            shutil.copyfileobj(file, copy)
        copy.flush()
        return _open(torch, copy.name, path, device, threads)


def _open(torch: Any, copy: str, path: Path, device: str, threads: int) -> OpenGraph:
    try:
        reader = torch._C.PyTorchFileReader(copy)
        made_for = torch._C._aoti.AOTIModelPackageLoader.load_metadata_from_package(copy, "model")
    except RuntimeError as error:
        raise EngineError(f"{path}: torch cannot open it: {str(error).strip().splitlines()[0]}") from None
    obtained = _obtained(torch, path, device, made_for)
    torch.set_num_threads(threads)
    try:
        index = obtained.index if obtained.type == "cuda" else -1
        module = torch._inductor.aoti_load_package(copy, device_index=index)
    except (RuntimeError, OSError) as error:
        raise EngineError(f"{path}: torch cannot open it: {str(error).strip().splitlines()[0]}") from None
    record = f"extra/{MANIFEST_KEY}"
    return OpenGraph(
        run=torch_device.runner(torch, module, obtained),
        engine=f"torch {torch.__version__} AOTInductor",
        device=str(obtained),
        threads=threads,
        embedded=reader.get_record(record).decode() if record in reader.get_all_records() else None,
    )


def _obtained(torch: Any, path: Path, device: str, made_for: dict[str, str]) -> Any:
    """The device, if it is of the kind that the library was compiled for; another CPU could not run its code."""
    from torch._inductor.codecache import get_device_information

    kind = made_for.get("AOTI_DEVICE_KEY", "cpu")
    obtained = torch_device.obtain(torch, kind if device == "auto" else device)
    if obtained.type != kind:
        raise EngineError(f"{path} was compiled for {kind}, not for {device}. Use --device {kind}, or another graph")
    for key, here in get_device_information(kind).items():
        if made_for.get(key, here) != here:
            raise EngineError(
                f"{path} was compiled for {key.removeprefix('AOTI_').lower()} {made_for[key]!r}, this host has "
                f"{here!r}. Export it on this host"
            )
    return obtained
