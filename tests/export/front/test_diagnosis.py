"""lit_export.front.diagnosis and file_kind: what is wrong, and the command that helps."""

import shlex
from pathlib import Path

import pytest

from lit_export.front import diagnosis, file_kind
from lit_export.front.checkpoint import open_checkpoint
from lit_infer.errors import UsageError


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


FSDP = (".metadata", "__0_0.distcp", "__1_0.distcp")
DEEPSPEED = ("latest", "checkpoint/mp_rank_00_model_states.pt", "checkpoint/zero_pp_rank_0_mp_rank_00_optim_states.pt")


@pytest.mark.parametrize(
    ("names", "given", "command"),
    [
        ((*FSDP, "meta.pt"), "", "python -m lightning.pytorch.utilities.consolidate_checkpoint {folder}"),
        ((*FSDP, "meta.pt"), "__0_0.distcp", "python -m lightning.pytorch.utilities.consolidate_checkpoint {folder}"),
        (FSDP, "", "format_utils dcp_to_torch {folder}"),
        (DEEPSPEED, "", "convert_zero_checkpoint_to_fp32_state_dict"),
        (DEEPSPEED, "checkpoint", "convert_zero_checkpoint_to_fp32_state_dict"),
        (DEEPSPEED, "checkpoint/mp_rank_00_model_states.pt", "convert_zero_checkpoint_to_fp32_state_dict"),
    ],
)
def test_shards_are_named_with_the_command_that_merges_them(
    tmp_path: Path, names: tuple[str, ...], given: str, command: str
) -> None:
    folder = made(tmp_path / "epoch=1 step=2.ckpt", *names)
    with pytest.raises(UsageError) as caught:
        open_checkpoint(artifact=None, checkpoint=folder / given)
    message = str(caught.value)
    assert command.format(folder=shlex.quote(str(folder))) in message
    assert f"--checkpoint {str(folder)!r}."[:-1].rstrip("'") in message


def test_a_command_that_merges_survives_the_shell(tmp_path: Path) -> None:
    folder = made(tmp_path / "it's here", *DEEPSPEED)
    words = shlex.split((file_kind.shards(folder) or "").partition("Merge its parts: ")[2].partition("\n")[0])
    assert words[:2] == ["python", "-c"]
    compile(words[2], "command", "exec")
    assert repr(str(folder)) in words[2]


def test_the_mergers_exist() -> None:
    from importlib.util import find_spec

    for module in (
        "lightning.pytorch.utilities.consolidate_checkpoint",
        "lightning.pytorch.utilities.deepspeed",
        "torch.distributed.checkpoint.format_utils",
    ):
        assert find_spec(module)


def test_another_folder_names_the_checkpoints_in_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a folder. It holds last.ckpt: name one file"):
        open_checkpoint(artifact=None, checkpoint=made(tmp_path, "last.ckpt"))


def test_a_bundle_is_an_export_already(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lit-export inspect"):
        open_checkpoint(artifact=None, checkpoint=made(tmp_path, "manifest.json", "model.onnx"))


def test_long_lists_are_cut() -> None:
    assert diagnosis.names("abcde") == "a, b, c and 2 more"
    assert diagnosis.names("ab") == "a, b"


@pytest.mark.parametrize(("name", "said"), [("Resnt", " Did you mean ResNet?"), ("zzz", "")])
def test_the_nearest_name_is_offered_if_it_is_near(name: str, said: str) -> None:
    assert diagnosis.nearest(name, ["ResNet", "Plain"]) == said
