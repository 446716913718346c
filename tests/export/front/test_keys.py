"""lit_export.front.keys: a state_dict's keys against those of a module."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lit_export.front.keys import aligned, copied, difference
from lit_infer.progress import Listener, listening

names = st.lists(st.sampled_from(["body", "head", "0", "1", "weight", "bias"]), min_size=1, max_size=3).map(".".join)
states = st.sets(names, min_size=1, max_size=6).map(
    lambda found: {name: index for index, name in enumerate(sorted(found))}
)


def align(state: dict[str, Any], expected: Any) -> tuple[dict[str, Any], list[str]]:
    said: list[str] = []
    with listening(Listener(note=said.append)):
        return aligned(state, expected), said


@given(state=states, prefix=st.sampled_from(["module.", "model.", "net.backbone."]))
def test_one_prefix_before_all_keys_is_stripped_and_said(state: dict[str, int], prefix: str) -> None:
    wrapped = {f"{prefix}{name}": value for name, value in state.items()}

    found, said = align(wrapped, state)

    assert found == state
    assert said == [f"stripped {prefix} from {len(state)} keys"]


@given(state=states, at=st.integers(0, 2), data=st.data())
def test_the_prefix_of_torch_compile_is_found_anywhere(state: dict[str, int], at: int, data: st.DataObject) -> None:
    chosen = data.draw(st.sets(st.sampled_from(sorted(state)), min_size=1))

    def wrap(name: str) -> str:
        parts = name.split(".")
        parts.insert(min(at, len(parts) - 1), "_orig_mod")
        return ".".join(parts)

    wrapped = {wrap(name) if name in chosen else name: value for name, value in state.items()}

    assert align(wrapped, state) == (state, [f"stripped _orig_mod. from {len(chosen)} keys"])
    assert align(state, wrapped) == (wrapped, [f"added _orig_mod. to {len(chosen)} keys, as the class has it"])


@given(state=states)
def test_keys_that_fit_are_left_alone_and_nothing_is_said(state: dict[str, int]) -> None:
    found, said = align(state, list(state))

    assert found is state
    assert said == []


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"a.x": 1, "b.y": 2}, ["x", "y"]),
        ({"a.x": 1}, ["x", "y"]),
        ({"a.x": 1, "a.z": 2}, ["x", "y"]),
        ({}, ["x"]),
        ({"x": 1}, []),
    ],
)
def test_keys_that_differ_in_more_than_wrappers_stay_as_they_are(state: dict[str, int], expected: list[str]) -> None:
    assert align(state, expected) == (state, [])


def test_two_keys_that_would_become_one_stay_two() -> None:
    state = {"_orig_mod.x": 1, "x": 2}

    assert align(state, ["x"])[0] == state


def test_what_an_averaged_model_counts_is_no_weight() -> None:
    assert align({"module.x": 1, "n_averaged": 7}, ["x"])[0] == {"x": 1}


def test_the_modules_versions_go_along() -> None:
    state = nn.Sequential(nn.BatchNorm1d(2)).state_dict()
    wrapped = OrderedDict((f"module.{key}", value) for key, value in state.items())
    wrapped._metadata = state._metadata  # type: ignore[attr-defined]

    found, _ = align(wrapped, state)

    assert found._metadata == state._metadata  # type: ignore[attr-defined]
    assert copied(wrapped)._metadata == state._metadata  # type: ignore[attr-defined]
    assert copied(wrapped) is not wrapped


def test_the_difference_names_what_is_missing_too_much_or_of_another_shape() -> None:
    found = difference(
        {"a": torch.zeros(2, 3), "b": torch.zeros(1), "n": 3},
        {"a": torch.zeros(2, 4), "c": torch.zeros(1), "n": torch.zeros(9)},
    )

    assert (found.missing, found.unexpected) == (["c"], ["b"])
    assert found.shapes == {"a": ([2, 3], [2, 4])}


def test_a_lazy_parameter_takes_any_shape() -> None:
    found = difference({"weight": torch.zeros(2, 3)}, nn.LazyLinear(2, bias=False).state_dict())

    assert (found.missing, found.unexpected, found.shapes) == ([], [], {})
