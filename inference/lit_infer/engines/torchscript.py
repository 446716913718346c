"""TorchScript graphs (legacy) by torch, which is imported here and only when such a graph is opened."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lit_infer.engines.opened import MANIFEST_KEY, OpenGraph
from lit_infer.errors import EngineError, require


def open_graph(path: Path, *, device: str, threads: int) -> OpenGraph:
    """Open a TorchScript file. The device asked for is the device obtained, or an EngineError."""
    torch = require("torch", extra="torch", purpose=f"Running {path.name}")
    place = _device(torch, device)
    torch.set_num_threads(threads)
    extra: dict[str, Any] = {MANIFEST_KEY: ""}
    try:
        with warnings.catch_warnings():
            # torch.jit is deprecated; the help and the summary call this format legacy.
            warnings.simplefilter("ignore", FutureWarning)
            module = torch.jit.load(str(path), map_location=place, _extra_files=extra)
    except RuntimeError as error:
        raise EngineError(f"{path}: torch cannot open it: {str(error).strip().splitlines()[0]}") from None

    def run(inputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        with torch.inference_mode():
            outputs = module(*(torch.as_tensor(array, device=place) for array in inputs))
        if not isinstance(outputs, tuple):
            outputs = (outputs,)
        return [output.cpu().numpy() for output in outputs]

    embedded = extra[MANIFEST_KEY]
    return OpenGraph(
        run=run,
        engine=f"torch {torch.__version__} TorchScript",
        device=str(place),
        embedded=(embedded.decode() if isinstance(embedded, bytes) else embedded) or None,
    )


def _device(torch: Any, device: str) -> Any:
    has_cuda = torch.cuda.is_available()
    if device == "auto":
        return torch.device("cuda:0" if has_cuda else "cpu")
    if device == "cpu":
        return torch.device("cpu")
    index = int(device.partition(":")[2] or 0)
    if not has_cuda or index >= torch.cuda.device_count():
        found = f"{torch.cuda.device_count()} CUDA devices" if has_cuda else "no CUDA device"
        raise EngineError(f"asked for {device}, torch finds {found}. Use --device cpu")
    return torch.device("cuda", index)
