"""How a server describes itself and its models in the protocol's terms. Pure functions."""

from typing import Any

from lit_infer.manifest import Tensor
from lit_infer.server.models.opening import Served
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.slot import Slot
from lit_infer.server.models.stats import STAGES, Stats, Total
from lit_infer.server.oip.tensors import DATATYPES

EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics")
"""The extensions of the protocol that are implemented here."""


def server() -> dict[str, Any]:
    """The server's metadata."""
    from lit_infer import __version__

    return {"name": "lit-serve", "version": __version__, "extensions": list(EXTENSIONS)}


def metadata(served: Served, versions: list[str]) -> dict[str, Any]:
    """A model's metadata."""
    return {
        "name": served.name,
        "versions": versions,
        "platform": served.opened.engine.replace(" ", "_"),
        "inputs": [_tensor(tensor) for tensor in served.manifest.inputs],
        "outputs": [_tensor(tensor) for tensor in served.manifest.outputs],
    }


def config(served: Served) -> dict[str, Any]:
    """A model's configuration, as Triton's ModelConfig. The batch is not among the dims."""
    policy, is_batched = served.runner.policy, served.runner.is_batched
    return {
        "name": served.name,
        "platform": served.opened.engine.replace(" ", "_"),
        "backend": "lit-deploy",
        "max_batch_size": served.runner.largest if is_batched else 0,
        "input": [_config_tensor(tensor, is_batched=is_batched) for tensor in served.manifest.inputs],
        "output": [_config_tensor(tensor, is_batched=is_batched) for tensor in served.manifest.outputs],
        "dynamic_batching": {
            "preferred_batch_size": [served.runner.largest],
            "max_queue_delay_microseconds": int(policy.max_delay * 1e6),
        },
        "instance_group": [{"count": served.opened.count, "kind": _kind(served.opened.device)}],
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
    """The statistics of one version, of all versions of a model, or of all models. Raises NotFoundError."""
    if name:
        repository.find(name, version)
    return [
        statistics(slot)
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
