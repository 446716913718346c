"""lit_export.front.key_families: weights that pruning, adapters and the like have rewritten."""

import re
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from lit_export.front.key_families import diagnosis, merged
from lit_infer.progress import Listener, listening


def net() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def test_pruning_is_made_permanent_as_torch_does_it() -> None:
    module, said = net(), list[str]()
    prune.l1_unstructured(module[0], "weight", amount=0.5)
    state = module.state_dict()

    with listening(Listener(note=said.append)):
        found = merged(state, net().state_dict().keys())

    prune.remove(module[0], "weight")
    expected = module.state_dict()
    assert set(found) == set(expected)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert "0.weight_orig" in state
    assert said == ["pruning made permanent in 1 weights: weight_orig * weight_mask"]


def test_a_module_that_is_pruned_itself_keeps_its_masks() -> None:
    module = net()
    prune.l1_unstructured(module[0], "weight", amount=0.5)
    state = module.state_dict()

    assert merged(state, state.keys()) is state


def weight_normed() -> nn.Module:
    module = net()
    parametrizations.weight_norm(module[0])
    return module


def spectral_normed() -> nn.Module:
    module = net()
    parametrizations.spectral_norm(module[0])
    return module


@pytest.mark.parametrize(("make", "name"), [(weight_normed, "weight_norm"), (spectral_normed, "spectral_norm")])
def test_a_parametrization_is_named_with_the_line_that_applies_it(make: Any, name: str) -> None:
    state = make().state_dict()
    unexpected = [key for key in state if key not in net().state_dict()]

    said = diagnosis("Sequential", unexpected) or ""

    assert f"torch.nn.utils.parametrizations.{name}(net.0)" in said
    again = net()
    getattr(parametrizations, name)(again[0])
    again.load_state_dict(state)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["net.q.lora_A.default.weight", "net.q.lora_B.default.weight"], "LoRA adapters.*merge_and_unload.*--factory"),
        (["base_model.model.net.weight"], "LoRA"),
        (["net.fc._packed_params._packed_params", "net.fc.scale", "net.fc.zero_point"], "quantised already.*int8"),
        (["net.fc.weight_fake_quant.scale", "net.fc.activation_post_process.zero_point"], "--ignore-keys '.fake_quant"),
        (["_fsdp_wrapped_module._flat_param"], "flattened by FSDP.*state_dict_type='full'"),
        (["net.weight_g", "net.weight_v"], r"torch.nn.utils.weight_norm\(net.net\)"),
        (["net.weight_orig", "net.weight_u"], r"torch.nn.utils.spectral_norm\(net.net\)"),
    ],
)
def test_who_rewrote_the_weights_is_said_with_the_way_on(keys: list[str], says: str) -> None:
    assert re.search(says, diagnosis("Net", keys) or "", re.DOTALL)


def test_of_other_keys_nothing_is_said() -> None:
    assert diagnosis("Net", ["head.weight", "explored_a.bias", "head.scale"]) is None
