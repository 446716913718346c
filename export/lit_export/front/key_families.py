"""Weights that something has rewritten: pruning, adapters, parametrizations, quantisation. What to do about each."""

import re
from collections.abc import Collection
from typing import Any

from lit_export.front import keys
from lit_infer import progress

_LORA = re.compile(r"(^|\.)lora_|(^|\.)base_layer\.|^base_model\.model\.|(^|\.)(ia3|hada)_")
_PARAMETRIZED = re.compile(r"^(?P<owner>.*?)\.?parametrizations\.(?P<name>\w+)\.(?P<rest>.+)$")
_QUANTISED = re.compile(r"(^|\.)(_packed_params|zero_point)($|\.)|\.(quant_state|absmax|quant_map|qweight|qzeros)")
_FAKE = re.compile(r"(^|\.)(activation_post_process|weight_fake_quant|fake_quant\w*)\.")


def merged(state: dict[str, Any], expected: Collection[str]) -> dict[str, Any]:
    """With pruning made permanent where the module has the plain weight: `weight_orig` times `weight_mask`."""
    names = [key.removesuffix("_orig") for key in state if key.endswith("_orig") and key not in expected]
    pruned = [name for name in names if f"{name}_mask" in state]
    if not pruned:
        return state
    found = keys.copied(state)
    for name in pruned:
        found[name] = found.pop(f"{name}_orig") * found.pop(f"{name}_mask")
    progress.note(f"pruning made permanent in {len(pruned)} weights: weight_orig * weight_mask")
    return found


def diagnosis(cls: str, names: Collection[str]) -> str | None:
    """What has rewritten the weights that a class does not know, with the way to export them."""
    if any(map(_LORA.search, names)):
        return (
            f"These are LoRA adapters (peft), which {cls} does not have when it is made. Merge them in the module that "
            "was trained, model.merge_and_unload(), and export what that saves;\n"
            f"or build it with them: --factory pkg.mod:make, which returns get_peft_model({cls}(...), LoraConfig(...))"
        )
    if any(map(_FAKE.search, names)):
        return (
            "These are the observers of quantisation-aware training. For the float model leave them out: "
            "--ignore-keys '*activation_post_process*' --ignore-keys '*fake_quant*'"
        )
    if any(map(_QUANTISED.search, names)):
        return (
            "These weights are quantised already, as integers. Export the float checkpoint that they were made from; "
            "to have it in int8: --precision int8 --calibration FOLDER"
        )
    if any("_flat_param" in key for key in names):
        return (
            "These weights are flattened by FSDP, as one process holds them. Load them with the strategy that trained, "
            "and save them whole: FSDPStrategy(state_dict_type='full'), trainer.save_checkpoint(PATH)"
        )
    return _parametrized(cls, names)


def _parametrized(cls: str, names: Collection[str]) -> str | None:
    """For weights under weight_norm, spectral_norm and the like."""
    for key in names:
        found = _PARAMETRIZED.match(key)
        if found is not None:
            return _applied(cls, found["owner"], f"torch.nn.utils.parametrizations.{_kind(found['name'], names, key)}")
        if key.endswith("_g") and f"{key[:-2]}_v" in names:
            return _applied(cls, key.rpartition(".")[0], "torch.nn.utils.weight_norm")
        if key.endswith("_orig") and f"{key[:-5]}_u" in names:
            return _applied(cls, key.rpartition(".")[0], "torch.nn.utils.spectral_norm")
    return None


def _kind(name: str, names: Collection[str], key: str) -> str:
    front = key.partition("parametrizations.")[0] + f"parametrizations.{name}"
    if f"{front}.original1" in names:
        return "weight_norm"
    return "spectral_norm" if f"{front}.0._u" in names else "orthogonal"


def _applied(cls: str, owner: str, function: str) -> str:
    part = f"net.{owner}" if owner else "net"
    return (
        f"They are saved under {function}, which {cls} does not have when it is made. Apply it where training did, "
        f"in a function given as --factory pkg.mod:make:\n"
        f"    def make(): net = {cls}(...); {function}({part}); return net"
    )
