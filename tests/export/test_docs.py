"""docs/: command lines parse, examples run, links and imports lead somewhere, tables are what the code has."""

import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer

from lit_export import cli
from lit_export.formats import FORMATS, file_name
from lit_export.spec import read_spec
from lit_infer.engines import ENGINES
from lit_infer.proof import TOLERANCES
from lit_infer.tasks import TASKS
from tests.conftest import ROOT
from tests.inference.tiny import make_bundle, noise, save
from tests.keys import key_pair

DOCS = ROOT / "docs"
PAGES = [DOCS / "export.md", DOCS / "tasks.md", *sorted((DOCS / "export").glob("*.md"))]
EVERY_PAGE = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"))])
# Their examples need trained models and photographs: test_quantize has those, and the tests of each task.
OF_OTHERS = ("quantization.md", "tasks.md")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def lines() -> list[tuple[str, str]]:
    """All command lines of lit-export in indented blocks and in `code`, with their page."""
    found = []
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL).replace("\\\n", " ")
        indented = re.findall(r"^    (?:\$ )?(lit-export .+)$", text, re.MULTILINE)
        found += [(page.name, line) for line in [*indented, *re.findall(r"`(lit-export [^`…]+)`", text)]]
    return found


@pytest.mark.parametrize(("page", "line"), lines())
def test_a_command_line_is_one_that_the_command_takes(page: str, line: str) -> None:
    name, *arguments = shlex.split(line, comments=True)[1:]
    command = typer.main.get_command(cli.app).commands[name]  # type: ignore[attr-defined]
    if "--precision" in arguments and "int8" in arguments[arguments.index("--precision") + 1]:
        assert {"--calibration", "--inputs", "--data-module"} & set(arguments)
    if not arguments or arguments == ["BUNDLE"]:
        return  # the command is only named
    command.make_context(name, arguments)


def examples() -> list[tuple[str, str]]:
    return [(page.name, text) for page in PAGES if page.name not in OF_OTHERS for text in blocks(page, "python")]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "text"), examples())
def test_a_python_example_runs(page: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "cat.jpg", noise(300, 250))
    key_pair(tmp_path)
    bundle = make_bundle(tmp_path / "artifacts" / "bundles" / "digits-cnn-v0")
    if "verify(" in text:
        from lit_export.sign import sign

        sign(bundle, private_key=tmp_path / "private.pem")
    exec(compile(text, page, "exec"), {"__name__": "example"})  # noqa: S102 - our own documentation


def test_there_are_examples() -> None:
    assert len(examples()) >= 5
    assert len(lines()) >= 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_yaml_example_is_a_spec(page: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    for text in blocks(page, "yaml"):
        (tmp_path / "spec.yaml").write_text(text)
        assert read_spec(tmp_path / "spec.yaml").labels == ("cat", "dog")


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path) -> None:
    for target, _, heading in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]+))?\)", page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not heading or heading in headings(file), f"{target}#{heading}"


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def imports() -> list[tuple[str, str, str]]:
    found = r"^[ #]*from (lit_\w[\w.]*) import ([\w, ]+)$"
    return [(page.name, *pair) for page in EVERY_PAGE for pair in re.findall(found, page.read_text(), re.MULTILINE)]


@pytest.mark.parametrize(("page", "module", "names"), imports())
def test_what_a_page_imports_is_there(page: str, module: str, names: str) -> None:
    for name in names.split(", "):
        if not hasattr(importlib.import_module(module), name.split(" as ")[0]):
            importlib.import_module(f"{module}.{name}")


def test_there_are_imports() -> None:
    assert {"inference-api.md", "serving.md", "tasks.md", "README.md"} <= {page for page, *_ in imports()}


@pytest.mark.parametrize("page", ["tasks.md", "export.md"])
def test_a_table_of_tasks_has_all_of_them_in_their_order(page: str) -> None:
    rows = re.findall(r"^\| \[?`([\w-]+)`", (DOCS / page).read_text(), re.MULTILINE)
    assert [name for name in rows if name in TASKS] == list(TASKS)


def test_the_table_of_tasks_names_their_columns_and_scores() -> None:
    rows = re.findall(r"^\| \[?`(image-[\w-]+)`(.+)\|$", (DOCS / "tasks.md").read_text(), re.MULTILINE)
    for name, text in rows:
        task, (columns, score) = TASKS[name], text.split("|")[-2:]
        assert score.split(";")[0].strip() == (task.metric.name if task.metric else "none")
        if task.kind in ("classes", "labels"):
            assert re.findall("`(.*?)`", columns) == list(task.columns(task.reading(labels=None, answers={}, size=2)))


def test_the_table_of_formats_is_that_of_the_code() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| `([^`]+)`[^|]*\|[^|]*\| ([^|]+) \|", (DOCS / "export.md").read_text(), re.MULTILINE
    )
    described = {name: (file, precisions.strip()) for name, file, precisions in rows if name in FORMATS}
    assert described == {
        name: (file_name(name, "fp32"), ", ".join(format_.writers)) for name, format_ in FORMATS.items()
    }


def test_the_formats_that_all_makes_are_the_first_of_the_table() -> None:
    made = [name for name, format_ in FORMATS.items() if format_.in_all]
    assert made == list(FORMATS)[:4]  # "`all` makes the first four"
    assert "`all` makes the first four" in (DOCS / "export.md").read_text()


def test_the_engines_that_can_be_named_are_those_of_the_code() -> None:
    row = next(line for line in (DOCS / "inference-api.md").read_text().splitlines() if line.startswith("| `engine` "))
    named, of_providers = re.findall(r"\| `engine` \| (.*); of onnxruntime's providers (.*?) \|", row)[0]
    assert re.findall("`(.*?)`", named) == list(ENGINES)
    providers = [f"{row.format}:{provider}" for row in ENGINES.values() for provider in row.providers]
    assert re.findall("`(.*?)`", of_providers) == providers
    assert [engine.is_for_one_host for engine in ENGINES.values()][-3:] == [False, True, True]  # "the last two engines"


def test_the_table_of_precisions_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| ([^|]+) \|$", (DOCS / "export/formats.md").read_text(), re.MULTILINE)
    found = {name: formats.split(", ") for name, formats in rows if formats != "everywhere"}
    able = {name: [one for one, row in FORMATS.items() if name in row.writers] for name in ("fp16", "bf16", "int8")}
    assert found == able
    assert all("fp32" in row.writers for row in FORMATS.values())


def test_the_table_of_tolerances_is_that_of_the_code() -> None:
    text = (DOCS / "export" / "wrong-outputs.md").read_text()
    rows = re.findall(r"^\| (\w+) \| ([\d.e-]+) \| ([\d.e-]+) \| ([\d.e-]+) \|$", text, re.MULTILINE)
    found = {name: np.array(list(map(float, values))) for name, *values in rows}
    assert found.keys() == TOLERANCES.keys()
    for name, allowed in TOLERANCES.items():
        np.testing.assert_array_equal(found[name], [allowed.atol, allowed.rtol, allowed.of_spread])
