"""lit_export.recorded: what a checkpoint says about itself, whatever stands at its keys."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_export.recorded import hparams, record, score, table
from lit_infer.errors import LitError
from lit_infer.manifest import CHECKPOINT_KEY, Score

KEY = "ModelCheckpoint{'monitor': 'val_acc', 'mode': 'max', 'every_n_epochs': 1}"
anything = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=2),
    max_leaves=5,
)


@given(value=anything)
def test_anything_at_a_key_is_a_dict_or_an_empty_one(value: Any) -> None:
    assert table({"a": value}, "a") == (value if isinstance(value, dict) else {})
    assert table(value, "callbacks") == table({"a": value}, "b") or isinstance(value, dict)
    assert all(isinstance(key, str) for key in hparams({"hyper_parameters": value}))


@given(key=st.text(max_size=12) | st.just(KEY), state=anything)
def test_whatever_a_callback_left_is_a_score_or_none(key: str, state: Any) -> None:
    found = score({"callbacks": {key: state, f"ModelCheckpoint{key}": state}})

    assert found is None or isinstance(found, Score)


def test_hyperparameters_are_found_in_older_checkpoints_and_the_newest_key_wins() -> None:
    old = {"hparams": {"a": 1, "b": 1}, "module_arguments": {"b": 2}, "hyper_parameters": {"c": 3, 4: 5}}

    assert hparams(old) == {"a": 1, "b": 2, "c": 3}


def test_the_score_is_that_of_the_callback_which_saved_these_weights() -> None:
    state = {"monitor": "val_acc", "current_score": 0.75, "best_model_score": 0.9}

    assert score({"callbacks": {"EarlyStopping": {}, KEY: state}}) == Score(monitor="val_acc", mode="max", value=0.75)


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (KEY, {"monitor": None, "current_score": 1.0}),
        (KEY, {"monitor": "val_acc", "current_score": None}),
        (KEY, {"monitor": "val_acc", "current_score": "good"}),
        ("ModelCheckpoint", {"monitor": "val_acc", "current_score": 1.0}),
        ("ModelCheckpoint{'mode': __import__('os')}", {"monitor": "val_acc", "current_score": 1.0}),
        ("ModelCheckpoint" + "[" * 2000, {"monitor": "val_acc", "current_score": 1.0}),
    ],
)
def test_a_callback_that_does_not_say_what_it_measured_gives_no_score(key: str, state: dict[str, Any]) -> None:
    assert score({"callbacks": {key: state}}) is None


def test_facts_are_read_strictly_and_their_absence_is_none() -> None:
    facts = {"deployment": {"task": "image-classification", "class_path": "a.B"}}

    found = record({CHECKPOINT_KEY: facts}, "x.ckpt")

    assert found is not None
    assert found.deployment.class_path == "a.B"
    assert record({}, "x.ckpt") is None
    with pytest.raises(LitError, match=r"x\.ckpt"):
        record({CHECKPOINT_KEY: {"deployment": {"task": "no such task"}}}, "x.ckpt")
