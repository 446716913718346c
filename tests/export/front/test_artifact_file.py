"""lit_export.front.artifact_file: which file of an artifact is the checkpoint."""

from pathlib import Path

import pytest
import torch

from lit_export.front.artifact_file import FileReference, in_folder, looks_like_reference, parse
from lit_export.front.checkpoint import open_checkpoint
from lit_export.inspection import inspect
from lit_infer import artifacts
from lit_infer.errors import ArtifactError, NotFoundError, UsageError

REFERENCE = artifacts.Reference("user", "proj", "model", "v3")


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        torch.save({"state_dict": {"w": torch.ones(2)}}, folder / name)
    return folder


def test_a_path_after_the_alias_is_a_file_inside() -> None:
    found = parse("user/proj/model:v3/runs/best.ckpt")

    assert found == FileReference("user", "proj", "model", "v3", "runs/best.ckpt")
    assert str(found) == "user/proj/model:v3/runs/best.ckpt"
    assert parse(str(found)) == found
    assert parse("user/proj/model:v3") == REFERENCE


@pytest.mark.parametrize("text", ["a/b/c:v3/../x.ckpt", "a/b/c:v3//etc/passwd", "a/b/c:v3/x\\y", "a/b/c:/x.ckpt"])
def test_a_path_that_leads_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_a_reference_with_a_file_is_told_from_a_path(tmp_path: Path) -> None:
    made(tmp_path, "a:b/best.ckpt")

    assert looks_like_reference("user/proj/model:v3/best.ckpt")
    assert looks_like_reference("user/proj/model:v3")
    assert not looks_like_reference(str(tmp_path / "a:b/best.ckpt"))
    assert not looks_like_reference("runs/best.ckpt")


@pytest.mark.parametrize("names", [("model.ckpt", "config.yaml"), ("weights.pt",), ("x.pth",)])
def test_the_only_checkpoint_is_taken(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert in_folder(made(tmp_path, *names), REFERENCE, None) == tmp_path / names[0]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            ("best.ckpt", "last.ckpt"),
            r"holds 2 checkpoints: best.ckpt, last.ckpt.\nName one: --artifact .*:v3/best.ckpt",
        ),
        (("a.pt", "runs/b.pth"), r"holds 2 checkpoints: a.pt, runs/b.pth"),
        (("notes.txt",), r"holds no checkpoint \(.ckpt, .pt, .pth\), only notes.txt"),
        ((), "only nothing"),
    ],
)
def test_several_or_none_are_told_by_the_reference(tmp_path: Path, names: tuple[str, ...], says: str) -> None:
    with pytest.raises(ArtifactError, match=says) as caught:
        in_folder(made(tmp_path, *names), REFERENCE, None)
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_is_not_inside_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"user/proj/model:v3 has no file bst.ckpt. Did you mean best.ckpt"):
        in_folder(made(tmp_path, "best.ckpt"), REFERENCE, "bst.ckpt")


def test_an_artifact_of_several_checkpoints_is_opened_by_name(tmp_path: Path) -> None:
    folder = made(tmp_path / "folder", "best.ckpt", "last.pt")
    artifacts.registry().publish(folder, artifacts.parse("local/p/several"), type="model", aliases=["best"])

    found = open_checkpoint(artifact="local/p/several:best/last.pt", checkpoint=None)

    assert found.where == "local/p/several:v0/last.pt"
    assert str(found.reference) == "local/p/several:v0"
    assert inspect("local/p/several:best/last.pt").kind == "checkpoint"
    assert ("try", "lit-export onnx --artifact local/p/several:best/last.pt --class pkg.mod:Cls") in inspect(
        "local/p/several:best/last.pt"
    ).rows
    with pytest.raises(ArtifactError, match=r"several:v0 holds 2 checkpoints: best.ckpt, last.pt"):
        open_checkpoint(artifact="local/p/several:best", checkpoint=None)
