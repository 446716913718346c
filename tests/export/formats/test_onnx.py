"""lit_export.formats.onnx: both exporters' files, read back. Whole bundles: test_formats."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from torch import Tensor

from lit_export.formats import onnx as written_by
from lit_export.formats.job import Written
from lit_infer import manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.errors import GateError
from tests.export.formats.jobs import FACTS, Mixing, assert_runs, make_job


@pytest.fixture(scope="module", params=["dynamo", "legacy"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    writer = getattr(written_by, f"write_{request.param}")
    made: Written = writer(make_job(), tmp_path_factory.mktemp(request.param) / "model.onnx")
    assert request.param in made.exporter
    return made


def test_the_file_answers_as_the_module_on_any_batch(written: Written) -> None:
    assert_runs(written.path)


def test_it_says_what_was_written_and_leaves_nothing_beside_it(written: Written) -> None:
    model = onnx.load(written.path)

    assert (written.opset, written.ir_version, written.companions) == (20, model.ir_version, ())
    assert [path.name for path in written.path.parent.iterdir()] == ["model.onnx"]


def test_the_graph_tells_nothing_of_its_source(written: Written) -> None:
    model = onnx.load(written.path)

    assert [entry.key for entry in model.metadata_props] == [MANIFEST_KEY]
    parts: list[Any] = [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.initializer]
    assert not [part for part in parts if part.doc_string]
    assert not [part for part in parts[1:] if part.metadata_props]


class ByLength(Mixing):
    """Asks for the number of rows as Python code does, which a run would freeze."""

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        mixed, total = super().forward(*tensors)
        return mixed.reshape(len(mixed), -1), total.reshape(len(tensors[0]), 4)


def test_the_length_of_a_tensor_stays_the_batch(tmp_path: Path) -> None:
    job = make_job()

    found = written_by.write_dynamo(
        replace(job, target=replace(job.target, module=ByLength().eval())), tmp_path / "x.onnx"
    )

    assert_runs(found.path)


@pytest.mark.parametrize("limit", [0, 10**9])
def test_weights_beyond_what_protobuf_holds_go_into_a_file_beside_the_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(written_by, "EXTERNAL_DATA_FROM", limit)

    found = written_by.write_legacy(make_job(), tmp_path / "model.onnx")

    assert [path.name for path in found.companions] == ([] if limit else ["model.onnx.data"])
    assert_runs(found.path)


def test_float16_is_made_from_the_proven_file(written: Written, tmp_path: Path) -> None:
    found = written_by.write_fp16(make_job(precision="fp16", onnx=written.path), tmp_path / "model.fp16.onnx")

    assert found.exporter == "torch.onnx, then onnxruntime's float16 converter"
    assert found.opset == 20
    assert_runs(found.path, within=5e-3)


def test_another_opset_than_was_asked_for_is_an_error(written: Written, tmp_path: Path) -> None:
    job = make_job(precision="fp16", opset=17, onnx=written.path)

    with pytest.raises(GateError, match="asked for ONNX opset 17, the exporter wrote 20"):
        written_by.write_fp16(job, tmp_path / "model.fp16.onnx")


def test_describing_a_graph_again_replaces_its_facts_and_nothing_else() -> None:
    graph = onnx.ModelProto()
    onnx.helper.set_model_props(graph, {"theirs": "kept", MANIFEST_KEY: "old"})

    for _ in range(2):
        written_by.describe(graph, FACTS)

    found = {entry.key: entry.value for entry in graph.metadata_props}
    assert len(graph.metadata_props) == 2
    assert found["theirs"] == "kept"
    assert manifest.decode(found[MANIFEST_KEY], where="graph") == FACTS
