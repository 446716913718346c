"""From a checkpoint and a transformer to a bundle whose rows are proven; and what is refused on the way."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lit_export import Options, export
from lit_export.proof.prepared import check_options
from lit_infer import load, manifest, progress
from lit_infer.errors import GateError, LitError, UsageError
from lit_infer.manifest import DeploymentFacts
from tests.export.tabular_net import NUMBERS, SCALER, Embedded, Net
from tests.support.tables import FIELDS

NET = "tests.export.tabular_net"
TABLE = DeploymentFacts(task="tabular-regression", fields=FIELDS)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "spec.yaml"
    path.write_text("task: tabular-classification\nlabels: [small, large]\n")
    return path


def run(spec: Path, out: Path, **options: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    with progress.listening(progress.Listener(note=said.append)):
        given = {"columns": f"{NET}:SCALER", "factory": f"{NET}:Net", **options}
        bundle = export(None, ["onnx"], out=out, options=Options(spec=spec, **given))
    return bundle, said


def test_a_transformer_is_read_and_proven_and_the_bundle_predicts_as_the_module(spec: Path, tmp_path: Path) -> None:
    _, said = run(spec, tmp_path / "b")

    assert f"rows proven against {NET}:SCALER on 64 rows (made up), all equal" in said
    described = manifest.read(tmp_path / "b")
    assert described.proof is not None
    assert described.proof.prepared is not None
    assert described.proof.prepared.prepare == f"{NET}:SCALER"
    with load(tmp_path / "b", device="cpu") as model, torch.no_grad():
        found = model.predict([{"x0": a, "x1": b} for a, b in NUMBERS], output=True)
        scaled = torch.tensor(SCALER.transform(NUMBERS), dtype=torch.float32)
        wanted = torch.softmax(Net().eval()(scaled), dim=-1).numpy()
    assert np.allclose(np.stack([one.output for one in found if one.output is not None]), wanted, atol=1e-6)
    assert {one.label for one in found} == {"small", "large"}


COLUMNS = """
columns:
  - {name: job, category: {vocabulary: [a, b, c], unknown: 3}}
  - {name: age, number: {mean: 40, scale: 10}}
  - {name: size, number: {}}
inputs: {numbers: [size, age], categories: [job]}
"""


def test_several_inputs_are_those_of_the_module_in_its_order(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "columns.yaml").write_text(COLUMNS)

    run(spec, tmp_path / "b", columns=str(tmp_path / "columns.yaml"), factory=f"{NET}:Embedded")

    with load(tmp_path / "b", device="cpu") as model, torch.no_grad():
        (found,) = model.predict([{"job": "z", "age": 50, "size": 0.5}], output=True)
        wanted = torch.softmax(Embedded().eval()(torch.tensor([[0.5, 1.0]]), torch.tensor([[3]])), dim=-1)
    assert np.allclose(found.output, wanted[0].numpy(), atol=1e-6)


@pytest.mark.parametrize("name", ["prepare", "by_name"])
def test_trainings_own_code_is_compared_on_the_rows_of_a_file(name: str, spec: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("x0,x1,id\n" + "".join(f"{a!r},{b!r},i\n" for a, b in NUMBERS.tolist()))

    bundle, said = run(spec, tmp_path / "b", prepare=f"{NET}:{name}", table_rows=rows)

    assert f"rows proven against {NET}:{name} on 50 rows (rows.csv), all equal" in said
    assert (bundle.manifest.proof.inputs, bundle.manifest.proof.source) == ("file", "rows.csv")


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        (
            "unscaled",
            GateError,
            r"rows are not prepared as .*: x0 of row 0 \(.*\) becomes .*, and .* there. 64 of 64 rows",
        ),
        ("too_few", GateError, r"makes \[1\] of a row for rows, and the columns \[2\]"),
        ("misnamed", UsageError, "it answers x, and no rows"),
        ("broken", LitError, "KeyError"),
        ("NO_TRANSFORMER", UsageError, "not a function of a row"),
    ],
)
def test_code_that_does_otherwise_is_refused(
    name: str, error: type[Exception], said: str, spec: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        run(spec, tmp_path / "b", prepare=f"{NET}:{name}")
    assert not (tmp_path / "b").exists()


def test_columns_that_nothing_was_compared_with_are_said_to_be_as_stated(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "columns.yaml").write_text("columns: [{name: a, number: {}}, {name: b, number: {}}]")

    bundle, said = run(spec, tmp_path / "b", columns=str(tmp_path / "columns.yaml"))

    assert any("prepared as stated, and not compared with training's code: --prepare" in one for one in said)
    assert bundle.manifest.proof.prepared is None
    assert "Rows prepared as stated, not compared" in (tmp_path / "b" / "report.md").read_text()


@pytest.mark.parametrize(
    ("options", "has_columns", "said"),
    [
        ({"tokenizer": Path("a")}, True, "--tokenizer is for texts, and task tabular-regression takes none"),
        ({"columns": "a.yaml"}, False, "--columns is for rows of a table"),
        ({"prepare": "a:b"}, False, "--prepare is for rows, and task tensor takes none"),
        ({"table_rows": Path("a.csv")}, False, "--rows is for rows, and"),
        (
            {"images": Path("a")},
            True,
            "--images is not for task tabular-regression, which is compared on rows: --rows FILE",
        ),
        ({"data_module": "a:b"}, True, "--data-module is not for task tabular-regression"),
        (
            {"precisions": ("int8",), "calibration": Path("a")},
            True,
            "--calibration is not for task tabular-regression",
        ),
    ],
)
def test_options_of_other_tasks_are_refused(options: Any, has_columns: bool, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_options(Options(**options), facts=TABLE if has_columns else DeploymentFacts(task="tensor"))
