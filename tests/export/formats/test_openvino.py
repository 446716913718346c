"""lit_export.formats.openvino: from the proven ONNX file to `model.xml` and its weights."""

from pathlib import Path

import pytest

from lit_export.formats import openvino as written_by
from lit_export.formats.onnx import write_legacy
from lit_infer.manifest import Precision
from tests.export.formats.jobs import assert_runs, make_job

pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_legacy(make_job(), tmp_path_factory.mktemp("onnx") / "model.onnx").path


@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-5), ("fp16", 5e-3)])
def test_the_files_answer_as_the_module_on_any_batch(
    onnx: Path, tmp_path: Path, precision: Precision, within: float
) -> None:
    found = written_by.write(make_job(precision=precision, onnx=onnx), tmp_path / "model.xml")

    assert found.companions == (tmp_path / "model.bin",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin", "model.xml"]
    assert found.exporter.startswith("openvino ")
    assert found.exporter.endswith("from ONNX (torch.onnx)")
    assert_runs(found.path, within=within)


def test_the_same_graph_gives_the_same_bytes_however_many_were_made_before(onnx: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written_by.write(make_job(onnx=onnx), tmp_path / name / "model.xml")

    for name in ("model.xml", "model.bin"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
