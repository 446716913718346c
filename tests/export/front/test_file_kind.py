"""lit_export.front.file_kind: what a file or folder is that is no checkpoint, and the cure."""

import io
import shlex
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lit_export.front.file_kind import damaged, folder, other_archive, other_kind, raw_pickle, shard, shards
from tests.export import digits_net


def saved(*, zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": {}}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saves_may_be_a_checkpoint(zipped: bool) -> None:
    data = saved(zipped=zipped)

    assert other_kind(data[:64], "x") is None
    if zipped:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert other_archive(archive.namelist(), "x") is None


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"", "empty"),
        (b"  <!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\x1f\x8b\x08", "unpack it first"),
        ((80).to_bytes(8, "little") + b'{"w":', "a safetensors file"),
        (b"epoch,loss\n1,0.5\n", "a text file, and begins with: epoch,loss 1,0.5"),
        (b"last.ckpt".ljust(257, b"\0") + b"ustar\0", "a tar archive"),
        (b"\x89PNG\r\n", "a PNG image"),
    ],
)
def test_the_first_bytes_tell_what_it_is(head: bytes, said: str) -> None:
    found = other_kind(head, "here/x.ckpt")

    assert found is not None
    assert found.startswith("here/x.ckpt is ")
    assert said in found


@given(head=st.binary(max_size=64))
def test_any_bytes_have_one_line_or_none(head: bytes) -> None:
    found = other_kind(head, "x")

    assert found is None or (found.startswith("x is ") and "\n" not in found)


def test_a_graph_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    head = digits_net.write(tmp_path / "model.onnx").read_bytes()[:64]

    assert "which is an export already. See: lit-export inspect" in (other_kind(head, "model.onnx") or "")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["m/data.pkl", "m/constants.pkl"], "a TorchScript graph"),
        (["m/archive_format"], "a torch.export graph (.pt2)"),
        (["runs/last.ckpt"], "a zip archive with a checkpoint in it"),
        (["a.png", "b.png"], "a zip archive (a.png, b.png) and not a checkpoint"),
        ([], "a zip archive (empty) and not a checkpoint"),
    ],
)
def test_an_archive_is_known_by_its_entries(entries: list[str], said: str) -> None:
    assert said in (other_archive(entries, "x.zip") or "")


@pytest.mark.parametrize(
    ("first", "said"), [({}, "written by pickle, not by torch.save"), ([], "is a pickle, not a checkpoint")]
)
def test_a_bare_pickle_is_told_from_one_of_torch(first: Any, said: str) -> None:
    assert said in raw_pickle("x.pkl", first)


def test_damage_is_told_with_the_size_and_one_line_of_the_reason() -> None:
    assert damaged("x.ckpt", 1234, ValueError("bad header\nmore")).startswith("x.ckpt (1,234 bytes) is truncated")
    assert "(bad header)" in damaged("x.ckpt", 1234, ValueError("bad header\nmore"))
    assert "(EOFError)" in damaged("x.ckpt", 0, EOFError())


def made(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((".metadata", "__0_0.distcp"), "a torch.distributed checkpoint in shards"),
        ((".metadata", "meta.pt"), "an FSDP checkpoint in shards"),
        (("zero_to_fp32.py",), "a DeepSpeed checkpoint in parts"),
        (("checkpoint/mp_rank_00_model_states.pt",), "a DeepSpeed checkpoint in parts"),
        (("mp_rank_00_model_states.pt",), "a part of a DeepSpeed checkpoint"),
    ],
)
def test_a_model_in_parts_is_told_with_the_command_that_merges_it(
    tmp_path: Path, names: tuple[str, ...], said: str
) -> None:
    found = folder(made(tmp_path / "a folder", *names))

    assert said in found
    assert "python -m " in found or "python -c " in found
    command = found.partition("python ")[2].partition("\n")[0]
    assert shlex.split(command)[0] in ("-m", "-c")
    if command.startswith("-c"):
        compile(shlex.split(command)[1], "x", "exec")


def test_one_part_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    made(tmp_path, "dist/.metadata", "dist/__0_0.distcp", "deep/checkpoint/zero_pp_rank_0_optim_states.pt")

    assert "one shard of a model" in (shard(tmp_path / "dist/__0_0.distcp") or "")
    assert "DeepSpeed" in (shard(tmp_path / "deep/checkpoint/zero_pp_rank_0_optim_states.pt") or "")
    assert shard(tmp_path / "last.ckpt") is None


def test_another_folder_is_a_bundle_or_holds_files_to_name(tmp_path: Path) -> None:
    assert shards(made(tmp_path / "runs", "last.ckpt", "best.ckpt")) is None
    assert folder(tmp_path / "runs").endswith("is a folder. It holds best.ckpt, last.ckpt: name one file")
    assert folder(made(tmp_path / "none", "x.txt")).endswith("It holds no .ckpt file: name one file")
    assert "is a bundle" in folder(made(tmp_path / "bundle", "manifest.json"))
