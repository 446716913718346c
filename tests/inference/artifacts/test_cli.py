import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lit_infer import console
from lit_infer.artifacts import FolderRegistry, parse
from lit_infer.artifacts.cli import app
from lit_infer.errors import GateError, LitError, NotFoundError, UsageError
from lit_infer.manifest import Score, Source
from tests.inference.artifacts.publisher import MODEL, Publisher
from tests.inference.tiny import make_bundle

EXPORT = parse("local/digits/digits-cnn-export")


@pytest.fixture
def registry(own_folders: Path) -> FolderRegistry:
    """The registry that the commands use."""
    return FolderRegistry(own_folders / "registry")


@pytest.fixture
def bundles(registry: FolderRegistry, publish: Publisher, tmp_path: Path) -> None:
    """A checkpoint, and two bundles of it of which the first is the better one."""
    publish("weights", aliases=("best",))
    for number, value in enumerate((0.9, 0.8)):
        score = Score(monitor="val_acc", mode="max", value=value)
        folder = make_bundle(
            tmp_path / f"bundle-{number}", source=Source(digest="0" * 64, class_path="tests.Colours", score=score)
        )
        metadata = {"formats": ["onnx"], "precision": ["fp32", "int8"], "score": {"monitor": "val_acc", "mode": "max"}}
        metadata["score"]["value"] = value  # type: ignore[index]
        registry.publish(folder, EXPORT, type="model", metadata=metadata, parents=[str(MODEL.at("v0"))])


def said(*arguments: str) -> tuple[str, str]:
    """What a command wrote to stdout and stderr."""
    with console.listening(quiet="-q" in arguments or "--quiet" in arguments):
        result = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})
    if isinstance(result.exception, LitError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


@pytest.mark.usefixtures("bundles")
def test_list_shows_what_has_an_alias() -> None:
    out, err = said("list")

    assert err.startswith("registry: folder registry ")
    assert "no W&B account was found" in err.splitlines()[0]
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["local/digits/digits-cnn"]
    assert lines[2][:3] == ["v0", "best,", "latest"]
    assert "v1 latest val_acc 0.8 onnx fp32, int8" in " ".join(out.split())
    assert "… and 1 without an alias" in out
    assert "v0" in said("list", "--all")[0].partition("digits-cnn-export")[2]


@pytest.mark.usefixtures("bundles")
@pytest.mark.parametrize("pattern", ["*-export", "digits-cnn-*", "local/*/*-export", str(EXPORT.collection)])
def test_a_pattern_chooses_collections(pattern: str) -> None:
    found = json.loads(said("list", pattern, "--all", "--json")[0])

    assert [each["reference"] for each in found] == [f"local/digits/digits-cnn-export:v{n}" for n in (0, 1)]
    assert found[0]["score"] == {"monitor": "val_acc", "mode": "max", "value": 0.9}


@pytest.mark.usefixtures("bundles")
def test_a_project_chooses_all_that_is_in_it() -> None:
    assert len(json.loads(said("list", "local/digits", "--json")[0])) == 2
    assert len(json.loads(said("list", "local", "--json")[0])) == 2


def test_list_says_so_when_nothing_matches() -> None:
    out, err = said("list", "nothing")

    assert (out, err.splitlines()[-1]) == ("", "nothing here matches 'nothing'")
    assert said("list", "--quiet", "--json") == ("[]\n", "")


@pytest.mark.usefixtures("bundles")
def test_show_has_all_facts() -> None:
    out, err = said("show", str(EXPORT))

    assert err.splitlines()[0].endswith("the name begins with local/")
    shown = " ".join(out.split())
    assert "reference local/digits/digits-cnn-export:v1" in shown
    assert "made from local/digits/digits-cnn:v0" in shown
    assert "score val_acc 0.8" in shown
    assert json.loads(said("show", str(EXPORT), "--json")[0])["parents"] == ["local/digits/digits-cnn:v0"]


@pytest.mark.usefixtures("bundles")
def test_promote_moves_the_alias_or_gives_both_numbers() -> None:
    reference = f"{EXPORT.collection}:v0"

    assert said("promote", reference, "--alias", "production", "-q") == (
        "production is local/digits/digits-cnn-export:v0, val_acc 0.9 (is new)\n",
        "",
    )
    assert "it was already" in said("promote", reference, "--alias", "production")[0]
    with pytest.raises(GateError, match=r"its val_acc 0\.8 is not better than 0\.9 of the present v0") as refused:
        said("promote", str(EXPORT), "--alias", "production", "--if-better", "val_acc")
    assert refused.value.exit_code == 1
    moved = json.loads(said("promote", str(EXPORT), "--alias", "production", "--json")[0])
    assert (moved["before"], moved["moved"], moved["aliases"]) == ("v0", True, ["latest", "production"])


@pytest.mark.usefixtures("bundles")
def test_gc_names_what_it_removes() -> None:
    dry = said("gc", "--dry-run")
    found = json.loads(said("gc", "--dry-run", "--json", "-q")[0])
    done = said("gc", "-q")

    assert dry[0] == "local/digits/digits-cnn-export:v0\n" == done[0]
    assert dry[1].splitlines()[-1].startswith("1 version would be removed, ")
    assert found["removed"] == ["local/digits/digits-cnn-export:v0"]
    assert said("gc", "-q")[0] == ""


@pytest.mark.usefixtures("bundles")
def test_push_says_why_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="needs W&B, which is off: no W&B account was found; wandb login connects one"):
        said("push", str(EXPORT), "--to", "acme/digits")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with pytest.raises(UsageError, match=r"where should .* go\? Give --to entity/project, or set WANDB_ENTITY"):
        said("push", str(EXPORT))
    with pytest.raises(UsageError, match="--to 'acme': expected entity/project"):
        said("push", str(EXPORT), "--to", "acme")
    with pytest.raises(NotFoundError, match="has no 'v9'"):
        said("push", f"{EXPORT.collection}:v9", "--to", "acme/digits")


def test_help_has_examples() -> None:
    assert "lit-registry gc --dry-run" in said("--help")[0]
    for name in ("list", "show", "promote", "push", "gc"):
        assert f"lit-registry {name}" in said(name, "--help")[0]
