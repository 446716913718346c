"""What the engines on torch share: the device that is obtained, and how a module is run on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.engines.opened import Run
from lit_infer.errors import EngineError


def obtain(torch: Any, device: str) -> Any:
    """The torch device for `auto`, `cpu`, `cuda` or `cuda:N`, or an EngineError."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and not count):
        return torch.device("cpu")
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        found = f"{count} CUDA devices" if count else "no CUDA device"
        raise EngineError(f"asked for {device}, torch finds {found}. Use --device cpu")
    return torch.device("cuda", index)


def runner(torch: Any, module: Any, device: Any) -> Run:
    """A function on arrays that runs a torch module on a device."""
    if device.type == "cuda":
        from lit_infer.engines import cuda_graphs

        return cuda_graphs.runner(torch, module, device)

    def run(inputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        with torch.inference_mode():
            outputs = module(*(_tensor(torch, array, device) for array in inputs))
        if not isinstance(outputs, tuple | list):
            outputs = (outputs,)
        return [output.cpu().numpy() for output in outputs]

    return run


def _tensor(torch: Any, array: NDArray[Any], device: Any) -> Any:
    """Without a copy where torch takes the array's memory; it warns of read-only ones, which Pillow's are."""
    return torch.as_tensor(np.require(array, requirements=["C", "W"]), device=device)
