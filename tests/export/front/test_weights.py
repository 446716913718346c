"""lit_export.front.weights: a state_dict into a module."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lit_export.front.checkpoint import open_checkpoint
from lit_export.front.module import load_module
from lit_export.front.weights import load_weights
from lit_export.options import Options
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.progress import Listener, listening


class Two(nn.Module):
    """Two layers, and a loss with weights."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 2)
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(2))


def loaded(state: dict[str, Any], **options: Any) -> tuple[Two, tuple[str, ...], str]:
    """The module, what stayed as it was made, and all that was said."""
    module, said = Two(), list[str]()
    with listening(Listener(note=said.append)):
        stayed = load_weights(module, state, Options(**options), where="x.ckpt")
    return module, stayed, "\n".join(said)


def trained(**extra: torch.Tensor) -> dict[str, Any]:
    return {key: value + 1 for key, value in Two().state_dict().items()} | extra


def is_trained(module: nn.Module, *keys: str) -> bool:
    state, expected = module.state_dict(), trained()
    return all(torch.equal(state[key], expected[key]) for key in keys or expected)


def test_weights_that_fit_are_loaded_and_nothing_is_said() -> None:
    module, stayed, said = loaded(trained())

    assert is_trained(module)
    assert (stayed, said) == ((), "")


def test_a_loss_s_weights_may_be_too_many_or_lacking_or_of_another_shape() -> None:
    state = trained(**{"val_acc.total": torch.ones(1), "criterion.extra": torch.ones(1)})
    del state["criterion.weight"]

    module, _, said = loaded(state)
    assert is_trained(module, "body.weight", "head.bias")
    assert said == "left out, since they are a loss's or metric's: criterion.extra, val_acc.total"
    assert loaded({**trained(), "criterion.weight": torch.ones(9)})[2].endswith("metric's: criterion.weight")


def test_other_keys_that_are_too_many_are_refused_with_the_patterns_that_leave_them_out() -> None:
    state = trained(**{"teacher.x": torch.ones(1), "teacher.y": torch.ones(1), "step": torch.ones(1)})

    with pytest.raises(
        ArtifactError, match=r"If no output depends on them: --ignore-keys 'teacher.\*' --ignore-keys 's"
    ):
        loaded(state)
    module, _, said = loaded(state, ignore_keys=("teacher.*", "step"))
    assert is_trained(module)
    assert said == "left out (teacher.*, step): teacher.x, teacher.y, step"


def test_a_buffer_that_the_class_leaves_none_has_another_cure() -> None:
    module = Two()
    module.body.register_buffer("mean", None)
    with pytest.raises(
        ArtifactError, match=r"Two leaves body.mean None when it is made.*module.body.mean = torch.empty"
    ):
        load_weights(module, trained(**{"body.mean": torch.ones(3)}), Options(), where="x.ckpt")


def test_a_pattern_that_leaves_nothing_out_is_a_mistake() -> None:
    with pytest.raises(UsageError, match=r"'teecher.\*' matches no key of x.ckpt.*Its weights are of body, head, crit"):
        loaded(trained(), ignore_keys=("teecher.*",))


def test_what_the_class_has_and_is_ignored_stays_as_it_was_made() -> None:
    module, stayed, said = loaded(trained(), ignore_keys=("head.*",))

    assert is_trained(module, "body.weight", "body.bias")
    assert torch.equal(module.head.weight, Two().head.weight)
    assert stayed == ("head.weight", "head.bias")
    assert "warning: left as the class made them (--ignore-keys): head.weight, head.bias" in said


def test_what_is_lacking_is_refused_and_kept_as_made_where_that_is_asked_for() -> None:
    state = trained()
    del state["head.bias"]

    with pytest.raises(ArtifactError, match=r"head.bias\nTo keep them as the class makes them.*--strict false"):
        loaded(state)
    module, stayed, said = loaded(state, strict=False)
    assert is_trained(module, "body.weight", "head.weight")
    assert stayed == ("head.bias",)
    assert said == "warning: --strict false; left as the class made them: head.bias"


def test_not_strictly_another_shape_stays_as_made_and_is_said() -> None:
    state = trained(**{"head.weight": torch.ones(7, 4), "other.x": torch.ones(1)})

    with pytest.raises(ArtifactError, match=r"head.weight is \[7, 4\] in the file, \[2, 4\] in Two"):
        loaded(state)
    module, stayed, said = loaded(state, strict=False)
    assert is_trained(module, "body.weight", "head.bias")
    assert stayed == ("head.weight",)
    assert "in the checkpoint only: other.x" in said


def test_weights_of_which_none_fit_are_refused_even_so() -> None:
    with pytest.raises(ArtifactError, match=r"x\.ckpt does not fit Two"):
        loaded({"other.x": torch.ones(1)}, strict=False)


def test_a_part_of_a_whole_is_taken_with_the_patterns_that_are_offered() -> None:
    state = {f"student.{key}": value for key, value in trained().items()} | {"teacher.x": torch.ones(1)}

    with pytest.raises(ArtifactError, match=r"All that is lacking is there below student.*--ignore-keys 'teacher.\*'"):
        loaded(state)
    assert is_trained(loaded(state, ignore_keys=("teacher.*",))[0])


def test_a_module_that_renames_keys_itself_is_let_to() -> None:
    class Renaming(Two):
        def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:
            return super().load_state_dict({k.replace("top.", "head."): v for k, v in state.items()}, strict, assign)

    state = {key.replace("head.", "top."): value for key, value in trained().items()}
    module = Renaming()
    load_weights(module, state, Options(), where="x.ckpt")

    assert is_trained(module)


def test_adapters_are_diagnosed_by_name(tmp_path: Path) -> None:
    state = nn.Linear(2, 3).state_dict() | {"lora_A.default.weight": torch.ones(1)}
    torch.save(state, tmp_path / "x.pt")
    options = Options(class_path="torch.nn:Linear", hparams={"in_features": 2, "out_features": 3})

    with pytest.raises(ArtifactError, match=r"holds what Linear lacks: lora_A.*\nThese are LoRA adapters"):
        load_module(open_checkpoint(artifact=None, checkpoint=tmp_path / "x.pt"), options)
