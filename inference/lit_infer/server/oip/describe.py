"""How a server describes itself and its models in the protocol's terms. Pure functions."""

import functools
from typing import Any, Literal

from lit_infer.errors import NotFoundError
from lit_infer.manifest import Tensor
from lit_infer.server.models.opening import Served
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.slot import Slot
from lit_infer.server.models.stats import STAGES, Stats, Total
from lit_infer.server.oip.tensors import DATATYPES

EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics")
"""The extensions of the protocol that are implemented here."""


@functools.cache
def server() -> dict[str, Any]:
    """The server's metadata. The package's version is looked up once: that takes a millisecond."""
    from lit_infer import __version__

    return {"name": "lit-serve", "version": __version__, "extensions": list(EXTENSIONS)}


IMAGES = "/images"
"""What follows a model's name where it is described as taking encoded images: Triton's tools send what is described."""


def metadata(served: Served, versions: list[str], name: str = "") -> dict[str, Any]:
    """A model's metadata under its name, or as it takes encoded images. Raises NotFoundError if it takes none."""
    takes_images = _takes_images(served, name)
    return {
        "name": served.name + (IMAGES if takes_images else ""),
        "versions": versions,
        "platform": served.opened.engine.replace(" ", "_"),
        "inputs": [_encoded(served, "shape")]
        if takes_images
        else [_tensor(tensor) for tensor in served.manifest.inputs],
        "outputs": [_tensor(tensor) for tensor in served.manifest.outputs],
    }


def config(served: Served, name: str = "") -> dict[str, Any]:
    """A model's configuration, as Triton's ModelConfig. The batch is not among the dims.

    `max_batch_size` 0: requests are never joined, and the dims are the whole shape.
    """
    is_batched, takes_images = served.runner.is_batched, _takes_images(served, name)
    inputs = [_config_tensor(tensor, is_batched=is_batched) for tensor in served.manifest.inputs]
    return {
        "name": served.name + (IMAGES if takes_images else ""),
        "platform": served.opened.engine.replace(" ", "_"),
        "backend": "lit-deploy",
        "max_batch_size": served.runner.largest if is_batched else 0,
        "input": [_encoded(served, "dims")] if takes_images else inputs,
        "output": [_config_tensor(tensor, is_batched=is_batched) for tensor in served.manifest.outputs],
        **(_dynamic_batching(served) if is_batched else {}),
        "instance_group": [{"count": served.opened.count, "kind": _kind(served.opened.device)}],
    }


def _takes_images(served: Served, name: str) -> bool:
    if not name.endswith(IMAGES):
        return False
    if not served.manifest.spec.takes_images:
        raise NotFoundError(f"{served.name} takes tensors, not images: there is no {name}")
    if served.manifest.image_names:
        raise NotFoundError(f"{served.name} takes several images, and tools send one: there is no {name}")
    return True


def _encoded(served: Served, key: Literal["shape", "dims"]) -> dict[str, Any]:
    """The input of encoded images, for the metadata or the configuration."""
    name, is_batched = served.manifest.inputs[0].name, served.runner.is_batched
    if key == "shape":
        return {"name": name, "datatype": "BYTES", "shape": [-1, 1] if is_batched else [-1]}
    return {"name": name, "data_type": "TYPE_STRING", "dims": [1] if is_batched else [-1]}


def _dynamic_batching(served: Served) -> dict[str, Any]:
    delay = int(served.runner.policy.max_delay * 1e6)
    return {
        "dynamic_batching": {
            "preferred_batch_size": [served.runner.largest],
            "max_queue_delay_microseconds": delay,
        }
    }


def statistics(slot: Slot) -> dict[str, Any]:
    """A model's statistics, as Triton's ModelStatistics."""
    stats = slot.stats
    with stats.lock:
        return {
            "name": slot.name,
            "version": slot.version,
            "last_inference": stats.last_inference_ms,
            "inference_count": stats.inferences,
            "execution_count": stats.executions,
            "inference_stats": _inference_stats(stats),
            "batch_stats": [
                {"batch_size": rows, **{stage: _total(getattr(totals, stage)) for stage in STAGES[1:]}}
                for rows, totals in sorted(stats.batches.items())
            ],
        }


def all_statistics(repository: Repository, name: str = "", version: str | None = None) -> list[dict[str, Any]]:
    """The statistics of one version, of all versions of a model, or of all models. Raises NotFoundError.

    They have the name that was asked for, `MODEL/images` too: Triton's tools look for it.
    """
    asked = name
    if name:
        name = repository.find(name, version).name
    return [
        statistics(slot) | ({"name": asked} if asked else {})
        for slot in repository.slots
        if name in ("", slot.name) and (version or slot.version) == slot.version
    ]


def index(repository: Repository, *, ready_only: bool) -> list[dict[str, str]]:
    """All models and their states."""
    return [
        {"name": slot.name, "version": slot.version, "state": slot.state, "reason": slot.reason}
        for slot in repository.slots
        if slot.state == "READY" or not ready_only
    ]


def _inference_stats(stats: Stats) -> dict[str, Any]:
    stages = {stage: _total(total) for stage, total in stats.stages.items()}
    none = _total(Total())
    fail = {"count": sum(stats.failures.values()), "ns": stats.fail.ns}
    return {"success": _total(stats.success), "fail": fail, **stages, "cache_hit": none, "cache_miss": none}


def _total(total: Total) -> dict[str, int]:
    return {"count": total.count, "ns": total.ns}


def _tensor(tensor: Tensor) -> dict[str, Any]:
    shape = [side if isinstance(side, int) else -1 for side in tensor.shape]
    return {"name": tensor.name, "datatype": DATATYPES[tensor.dtype], "shape": shape}


def _config_tensor(tensor: Tensor, *, is_batched: bool) -> dict[str, Any]:
    dims = [side if isinstance(side, int) else -1 for side in tensor.shape[1 if is_batched else 0 :]]
    return {"name": tensor.name, "data_type": f"TYPE_{DATATYPES[tensor.dtype]}", "dims": dims}


def _kind(device: str) -> str:
    return "KIND_GPU" if device.startswith("cuda") else "KIND_CPU"
