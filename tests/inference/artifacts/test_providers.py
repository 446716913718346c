"""lit_infer.artifacts.PROVIDERS: a registry is a row and a file; here a third one, which nothing else has heard of."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lit_infer import artifacts, load
from lit_infer.artifacts import PROVIDERS, FolderRegistry, Provider, Reference
from lit_infer.artifacts.cli import app
from lit_infer.artifacts.registry import Mode
from lit_infer.errors import UsageError
from tests.conftest import ROOT

PAGE = "https://shelf.test/"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderRegistry:
    """A registry of its own, whose references begin with shelf/."""
    there = FolderRegistry(tmp_path / "shelf")
    row = Provider(
        name="the shelf",
        summary="Those that begin with shelf/ mean the shelf.",
        open=lambda _: there,
        address=lambda: "the shelf in the hall",
        entity="shelf",
        is_page=lambda text: text.startswith(PAGE),
        read_page=lambda text: Reference("shelf", *text.removeprefix(PAGE).split("/"), "latest"),
    )
    monkeypatch.setitem(PROVIDERS, "shelf", row)
    return there


def test_a_third_registry_is_found_by_its_references(shelf: FolderRegistry, bundle_folder: Path) -> None:
    reference = artifacts.parse("shelf/a/colours")
    artifacts.registry(reference).publish(bundle_folder, reference, type="model", aliases=["best"])

    assert shelf.collections() == ["shelf/a/colours"]
    assert artifacts.why(reference) == "the shelf in the hall: the name begins with shelf/"
    assert load("shelf/a/colours:best", device="cpu").manifest.name == "colours"
    assert artifacts.registry(artifacts.parse("local/a/colours")) is not shelf


def test_its_pages_are_read(shelf: FolderRegistry) -> None:
    assert artifacts.looks_like_reference(f"{PAGE}a/colours")
    assert artifacts.registry(artifacts.parse(f"{PAGE}a/colours")) is shelf


def test_versions_are_pushed_to_it_while_wandb_is_off(shelf: FolderRegistry, bundle_folder: Path) -> None:
    artifacts.folder_registry().publish(bundle_folder, artifacts.parse("local/a/colours"), type="model")

    done = CliRunner().invoke(app, ["push", "local/a/colours", "--to", "shelf/b"])
    listed = CliRunner().invoke(app, ["list", "shelf"])

    assert done.stdout == "shelf/b/colours:v0\n"
    assert shelf.resolve(artifacts.parse("shelf/b/colours")).metadata["pushed_from"] == "local/a/colours:v0"
    assert "shelf/b/colours" in listed.stdout


@pytest.mark.parametrize("online", [True, False])
def test_it_may_take_what_no_name_decides(online: bool, shelf: FolderRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Provider(
        name="x", summary="x", open=lambda _: shelf, address=lambda: "x", mode=lambda: Mode(online, "it is Sunday")
    )
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setitem(PROVIDERS, "shelf", row)

    assert (artifacts.registry(artifacts.parse("acme/a/b")) is shelf) == online
    folder = f"folder registry {artifacts.folder_registry().root}: WANDB_MODE=offline; it is Sunday"
    assert artifacts.why() == ("x: it is Sunday" if online else folder)


def test_what_no_online_registry_takes_cannot_be_pushed(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    artifacts.folder_registry().publish(bundle_folder, artifacts.parse("local/a/colours"), type="model")
    result = CliRunner().invoke(app, ["push", "local/a/colours", "--to", "acme/b"])
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == "pushing local/a/colours:latest needs W&B, which is off: WANDB_MODE=offline"


def test_one_takes_what_no_other_does() -> None:
    assert [name for name, row in PROVIDERS.items() if row.is_fallback] == ["folder"]
    assert PROVIDERS["folder"].entity == artifacts.LOCAL


OF_WANDB = ("artifacts/wandb", "artifacts/providers.py", "artifacts/__init__.py")


def names(tree: ast.AST) -> Iterator[str]:
    """What code names, not what texts say."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.ImportFrom(module=str(name)):
                yield name


@pytest.mark.parametrize("package", ["inference/lit_infer", "export/lit_export"])
def test_no_other_code_knows_wandb(package: str) -> None:
    files = [path for path in (ROOT / package).rglob("*.py") if not any(part in str(path) for part in OF_WANDB)]
    assert len(files) > 40
    named = {str(path): set(names(ast.parse(path.read_text()))) for path in files}
    assert {path: found for path, every in named.items() if (found := {n for n in every if "wandb" in n.lower()})} == {}
