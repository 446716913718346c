"""lit_export.formats.pt2: programs of torch.export, without their author's source."""

import zipfile
from pathlib import Path

import pytest

from lit_export.formats import pt2
from lit_infer.manifest import Precision
from tests.export.formats.jobs import Mixing, assert_runs, make_job


@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-5), ("fp16", 5e-3), ("bf16", 5e-2)])
def test_the_file_answers_as_the_module_on_any_batch(tmp_path: Path, precision: Precision, within: float) -> None:
    found = pt2.write(make_job(precision=precision), tmp_path / "model.pt2")

    assert found.exporter.startswith("torch.export ")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt2"]
    assert_runs(found.path, within=within)


def test_the_file_holds_no_example_and_nothing_of_the_source(tmp_path: Path) -> None:
    pt2.write(make_job(), tmp_path / "model.pt2")

    with zipfile.ZipFile(tmp_path / "model.pt2") as archive:
        data = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert not data.get("data/sample_inputs/model.pt")
    assert not [name for name, raw in data.items() if b"jobs.py" in raw or Mixing.__module__.encode() in raw]


def test_no_node_of_a_program_remembers_where_it_was_written() -> None:
    program = pt2.exported(make_job().target.module, make_job())

    kept = {name for node in program.graph_module.graph.nodes for name in node.meta}
    assert kept
    assert not kept & {"stack_trace", "source_fn_stack", "torch_fn", "nn_module_stack", "from_node"}
